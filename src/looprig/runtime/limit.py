"""Time limits: detecting that a limit has passed, creating the error, and interrupting blocking code.

Does not cancel what waits on a loop (`operation` does).

Invariants:
1. A limit counts real time.
2. The error is raised in sync code at most `_TIMES` times, and never while the code runs an operation on a loop, which
   `operation` ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from types import FrameType, TracebackType
from typing import Final, final

from looprig.runtime.clock import Alarm, now

__all__ = ["BLOCKED_FOR", "Late", "Limit", "LimitOnSyncCode", "is_in_a_callback"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

BLOCKED_FOR: Final = 0.5
"""Seconds after the deadline in which a loop that isn't blocked cancels what runs on it."""
_TIMES: Final = 3

Late = Callable[[FrameType | None], BaseException | None]
"""Returns the error to raise in the frame in which the main thread was interrupted, or `None` to raise nothing."""


@final
class Limit:
    """A time limit of `seconds` from now, in real time. `expired` returns the error to raise when it has passed.

    `break_off` interrupts the main thread, if that is possible, and `hint` explains why it may be blocked.
    """

    __slots__ = ("_hint", "break_off", "deadline", "expired")

    def __init__(
        self,
        seconds: float,
        expired: Callable[[str], BaseException],
        break_off: Callable[[Late], None] | None = None,
        hint: Callable[[], str] = str,
    ) -> None:
        self.deadline: Final = now() + seconds
        self.expired: Final = expired
        self.break_off: Final = break_off
        self._hint: Final = hint

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return now() >= self.deadline

    def blocked(self, what: str) -> BaseException:
        """Return the error of code that has exceeded the limit without waiting on its loop."""
        error = self.expired(what)
        error.add_note("It did not wait on the loop: something in it blocked the thread.")
        if hint := self._hint():
            error.add_note(hint)
        return error


@final
class LimitOnSyncCode:
    """A block of sync code, which `break_off` interrupts when its limit expires.

    `operations` are those that run, the innermost last.
    """

    def __init__(self, limit: Limit, break_off: Callable[[Late], None], what: str, operations: Sized) -> None:
        self._alarm: Alarm | None = None
        self._break_off = break_off
        self._is_over = False
        self._limit = limit
        self._operations = operations
        self._depth = len(operations)
        self._times = 0
        self._what = what

    def __enter__(self) -> None:
        self._alarm = Alarm(self._limit.deadline, self._ring)

    def _ring(self) -> None:
        if self._is_over or self._times == _TIMES:
            return
        self._break_off(self._late)
        self._alarm = Alarm(now() + BLOCKED_FOR, self._ring)  # the code may continue, or run an operation just now

    def _late(self, _frame: FrameType | None) -> BaseException | None:
        if self._is_over or len(self._operations) != self._depth:
            return None
        self._times += 1
        return self._limit.blocked(self._what)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over = True
        if self._alarm is not None:
            self._alarm.cancel()


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
