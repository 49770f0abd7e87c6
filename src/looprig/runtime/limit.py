"""Time limits: detecting that a limit has passed, creating the error, and interrupting blocking code.

Does not cancel what waits on a loop (`operation` does).

Invariants:
1. A limit counts real time.
2. The error is raised in sync code at most `MOST` times, and never while the code runs an operation on a loop, which
   `operation` ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from types import FrameType, TracebackType
from typing import Final, final

from looprig.runtime.clock import Alarm, now
from looprig.runtime.stacks import other_threads

__all__ = ["BLOCKED_FOR", "MOST", "Break", "Late", "Limit", "LimitOnSyncCode", "is_in_a_callback"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

BLOCKED_FOR: Final = 0.5
"""Seconds after the deadline in which a loop that isn't blocked cancels what runs on it."""
MOST: Final = 3
"""How many times blocking code is interrupted."""

Late = Callable[[FrameType | None], BaseException | None]
"""Returns the error to raise in the frame in which the main thread was interrupted, or `None` to raise nothing."""


@final
class Limit:
    """A time limit of `seconds` from now, in real time. `expired` returns the error to raise when it has passed.

    `break_off` interrupts the main thread, if that is possible, and `hint` explains why it may be blocked. `give_up` is
    called if the main thread can't be interrupted.
    """

    __slots__ = ("_hint", "break_off", "deadline", "expired", "give_up", "is_off")

    def __init__(
        self,
        seconds: float,
        expired: Callable[[str], BaseException],
        break_off: Callable[[Late], None] | None = None,
        hint: Callable[[], str] = str,
        give_up: Callable[[], object] = str,
    ) -> None:
        self.deadline: Final = now() + seconds
        self.expired: Final = expired
        self.break_off: Final = break_off
        self.give_up: Final = give_up
        self._hint: Final = hint
        self.is_off: bool = False
        """Whether it doesn't count any more, since somebody debugs the code."""

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return now() >= self.deadline and not self.is_off

    def blocked(self, what: str) -> BaseException:
        """Return the error of code that has exceeded the limit without waiting on its loop."""
        error = self.expired(what)
        error.add_note("It did not wait on the loop: something in it blocked the thread.")
        if others := other_threads():
            error.add_note("\n".join(("Other threads:", *others)))
        if hint := self._hint():
            error.add_note(hint)
        return error


@final
class Break:
    """The end of sync code for another reason than its limit: `error` is raised there, `seconds` from now."""

    is_off: Final = False

    def __init__(self, error: BaseException, seconds: float) -> None:
        self._error: Final = error
        self.deadline: Final = now() + seconds
        self.give_up: Final = str

    def blocked(self, _what: str) -> BaseException:
        """Return the error."""
        return self._error


@final
class LimitOnSyncCode:
    """A block of sync code, which `break_off` interrupts when its limit expires.

    `blocks` are the blocks that run, and `operations` those on loops, the innermost last. `needs` returns the live
    fixtures whose crash interrupts the block. `explain` is called with an exception that ends the block.
    """

    def __init__(
        self,
        limit: Limit | None,
        break_off: Callable[[Late], None],
        what: str,
        operations: Sized,
        blocks: list[LimitOnSyncCode],
        *,
        explain: Callable[[Exception], object] = str,
        needs: Callable[[], frozenset[object]] = frozenset,
    ) -> None:
        self._alarm: Alarm | None = None
        self._blocks = blocks
        self._break_off = break_off
        self._explain = explain
        self._is_over = False
        self._limit: Limit | Break | None = limit
        self.needs: Final = needs
        self._operations = operations
        self._depth = len(operations)
        self._times = 0
        self._unheard = 0
        self._what = what

    def __enter__(self) -> None:
        self._blocks.append(self)
        if self._limit is not None:
            self._alarm = Alarm(self._limit.deadline, self._ring)

    @property
    def is_innermost(self) -> bool:
        """Whether the code runs no operation on a loop now."""
        return len(self._operations) == self._depth

    def impose(self, limit: Limit | Break) -> None:
        """Set a limit on code that had none, from another thread."""
        self._limit = limit
        self._alarm = Alarm(limit.deadline, self._ring)

    def _ring(self) -> None:
        limit = self._limit
        if self._is_over or limit is None or limit.is_off:
            return
        if self._times == MOST:
            return
        if self._unheard == MOST:
            limit.give_up()
            return
        self._unheard += 1
        self._break_off(self._late)
        self._alarm = Alarm(now() + BLOCKED_FOR, self._ring)  # the code may continue, or run an operation just now

    def _late(self, _frame: FrameType | None) -> BaseException | None:
        self._unheard = 0
        if self._limit is None or self._is_over or not self.is_innermost:
            return None
        self._times += 1
        return self._limit.blocked(self._what)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over = True
        self._blocks.remove(self)
        if self._alarm is not None:
            self._alarm.cancel()
        if isinstance(error, Exception):
            self._explain(error)


def is_in_a_callback(frame: FrameType | None) -> bool:
    """Return whether a loop that was interrupted in this frame runs a callback, and not just its own code."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name == "looprig.runtime.host":
            return False
        if name.partition(".")[0] not in {"asyncio", "looprig", "selectors", "uvloop"}:
            return True
        frame = frame.f_back
    return False
