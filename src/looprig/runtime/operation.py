"""Operations: what a loop is run for, such as a test's call or a fixture's set-up or teardown.

Does not run the loop (`host` does). Crashes, time limits and Ctrl-C use the same way to cancel: the cause is kept and
the target is cancelled. A target that swallows its cancellation is cancelled again a few times, and then left behind.

Invariants:
1. The first cause wins, and the operation raises it.
2. An operation ends within `ROUNDS * GRACE` seconds of its first cancellation, unless its target blocks the loop.
3. Once the target is done, the loop stops only after the target's done callbacks and everything that was scheduled have
   run, as under `asyncio.run`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from threading import local
from types import FrameType
from typing import Any, Final, final

from looprig.exceptions import AskError
from looprig.runtime.clock import Alarm, now, ring_on
from looprig.runtime.context import Changes
from looprig.runtime.limit import BLOCKED_FOR, MOST, Limit, is_in_a_callback
from looprig.runtime.stacks import waits_at, without_asyncio
from looprig.runtime.tasks import cancel

__all__ = ["GRACE", "ROUNDS", "Operation", "Resolver", "has_more", "running"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

Resolver = Callable[[Any], tuple[Any, tuple[Changes, ...], AbstractSet[object]]]
"""Finds a requested fixture. Returns its value, the changes to the caller's context, and the live fixtures it needs."""

GRACE: Final = 2.0
"""Seconds that a cancelled task has to end before it is cancelled again."""
ROUNDS: Final = 3
"""How many times a task is cancelled before it is left behind."""

_SOON: Final = 1.0
_LAST_ROUNDS: Final = 10
"""Maximum number of rounds that a loop runs after its target is done, if its ready callbacks can be seen."""
_BLIND_ROUNDS: Final = 4
"""Number of rounds if they can't be seen, as on uvloop. As many as under `asyncio.run`."""
_UNSEEN: Final = (None,)


class _Running(local):
    """The operations running in this thread, the innermost last. Outer ones, on other loops, wait for inner ones.

    A list that records when operations begin and end may take the place of `operations`, before any loop runs.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []


running: Final = _Running()


def has_more(loop: asyncio.AbstractEventLoop, rounds: int) -> bool:
    """Return whether a loop has callbacks left to run, after `rounds` rounds."""
    ready: Any = getattr(loop, "_ready", None)
    return rounds < _BLIND_ROUNDS if ready is None else bool(ready) and rounds < _LAST_ROUNDS


@final
class Operation:
    """A run of the loop for one task, `target`, which can be cancelled.

    `needs` are the fixtures whose crash ends the operation. `owner` is the test or fixture that runs, and `resolve`
    finds the fixtures that it requests. `at_least` is the time in seconds that it gets, whatever limit or signal comes:
    a teardown can release what it holds. `interrupted` says whether a signal has arrived for the operation, and
    `insisted` is the number of times that the signal was sent again.
    """

    # Defaults are on the class, since most operations never need them.
    questions: list[tuple[Callable[[], object], asyncio.Future[Any]]] | None = None
    _alarms: tuple[Alarm, ...] = ()
    _broken_off_by: BaseException | None = None
    _cancellations: int = 0
    _deadline: float = 0.0
    _limit: Limit | None = None
    _rounds: int = 0
    _unheard: int = 0
    abandoned: bool = False
    has_loose_ends: bool = False
    at_least: float = 0.0
    cause: BaseException | None = None
    insisted: int = 0
    interrupted: bool = False
    is_settled: bool = False
    is_stopping: bool = False

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        loop: asyncio.AbstractEventLoop,
        what: str,
        target: asyncio.Task[Any],
        owner: object,
        needs: AbstractSet[object],
        resolve: Resolver | None,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.needs: AbstractSet[object] = needs
        self.owner: object = owner
        self.resolve: Resolver | None = resolve
        self.target: asyncio.Task[Any] = target
        self.what: str = what

    # Limits

    def limit(self, limit: Limit) -> None:
        """Cancel the operation when the time has passed."""
        self._limit = limit
        self._deadline = max(limit.deadline, now() + self.at_least)
        self.keep(Alarm(self._deadline, self._ring))

    def _ring(self) -> None:
        """Make the loop cancel the target. If the loop is blocked, interrupt the code that blocks it."""
        ring_on(self.loop, self._expire)()
        if self._limit is not None and self._limit.break_off is not None:
            self.keep(Alarm(now() + BLOCKED_FOR, self._break_off))

    def _break_off(self) -> None:
        limit = self._limit
        if limit is None or limit.break_off is None or limit.is_off or self.cause is not None or self.is_settled:
            return

        if self._unheard == MOST:
            limit.give_up()
            return

        def late(frame: FrameType | None) -> BaseException | None:
            self._unheard = 0
            is_innermost = bool(running.operations) and running.operations[-1] is self
            is_blocked = is_innermost and self.cause is None and not self.is_settled and is_in_a_callback(frame)
            if not is_blocked:
                return None
            self._broken_off_by = limit.blocked(self.what)
            return self._broken_off_by

        self._unheard += 1
        limit.break_off(late)
        self.keep(Alarm(now() + GRACE, self._break_off))  # the interrupted code may continue

    @property
    def ends_soon(self) -> bool:
        """Whether a time limit ends the operation within `_SOON` seconds."""
        return self._limit is not None and self._deadline - now() < _SOON

    @property
    def time_left(self) -> float:
        """The number of seconds until its time limit, or infinity."""
        return float("inf") if self._limit is None else self._deadline - now()

    @property
    def is_over(self) -> bool:
        """Whether the operation is done, or has been cancelled."""
        return self.cause is not None or self.is_settled or self.target.done()

    def _expire(self) -> None:
        if not (self.is_over or (self._limit is not None and self._limit.is_off)):
            self.cancel(self._expired())

    def _expired(self) -> BaseException:
        from looprig.runtime.waits import notes_on  # noqa: PLC0415 - few operations are late

        assert self._limit is not None
        error = self._limit.expired(self.what)
        for note in notes_on(self.loop, self.target):
            error.add_note(note)
        return error

    def blocked_too_long(self) -> BaseException | None:
        """Return the error of an operation that exceeded its limit while it blocked the loop, or `None`."""
        if self._limit is None or self._limit.is_off or self.cause is not None or now() < self._deadline:
            return None
        return self._broken_off_by or self._limit.blocked(self.what)

    def raise_error(self) -> None:
        """Raise what ended it before it was done, if anything did."""
        error = self.cause or self.blocked_too_long()
        if error is not None:
            raise _where_it_stood(error, self.target)

    # Ending before it is done

    def cancel(self, cause: BaseException) -> None:
        """Cancel the target. The operation raises `cause` instead of the cancellation."""
        if self.cause is None:
            self.cause = cause
            self._again()

    def interrupt(self, cause: BaseException) -> None:
        """Cancel the target after the time that it gets at least. The operation raises `cause` in any case."""
        if self.at_least and self.cause is None:
            self.cause = cause
            self._call_at(now() + self.at_least, self._again)
        else:
            self.cancel(cause)

    def _again(self) -> None:
        if self.is_settled or self.target.done():
            return
        if self._cancellations == ROUNDS:
            self.abandoned = True
            assert self.cause is not None
            self.cause.add_note(
                "\n".join(
                    (f"It swallowed its cancellation {ROUNDS} times and was left behind at", *waits_at(self.target))
                )
            )
            self.stop()
            return
        self._cancellations += 1
        cancel(self.target)
        self._call_at(now() + GRACE, self._again)

    def _call_at(self, deadline: float, callback: Callable[[], None]) -> None:
        self.keep(Alarm(deadline, ring_on(self.loop, callback)))

    def keep(self, alarm: Alarm) -> None:
        """Remember an alarm, to cancel it when the operation is over."""
        self.has_loose_ends = True
        self._alarms = (*self._alarms, alarm)

    # Leaving the loop

    def stop(self) -> None:
        """Stop the loop, but only once: uvloop would keep a second stop for the next run of the loop."""
        if not (self.is_stopping or self.is_settled):
            self.is_stopping = True
            self.loop.stop()

    def target_done(self, _target: object = None) -> None:
        """Stop the loop once it has nothing more to run, or has run for the maximum number of rounds."""
        loop = self.loop
        ready: Any = getattr(loop, "_ready", _UNSEEN)  # as in `has_more`, which would be one more call for each test
        if ready and has_more(loop, self._rounds):
            self._rounds += 1
            loop.call_soon(self.target_done)
        elif not (self.is_stopping or self.is_settled):  # as in `stop`, which would be one more call for each test
            self.is_stopping = True
            loop.stop()

    def settle(self) -> None:
        """Cancel the alarms and open questions of an operation that is over."""
        for alarm in self._alarms:
            alarm.cancel()
        if self.questions:
            for _, future in self.questions:
                future.cancel()

    # Questions

    def put(self, question: Callable[[], object]) -> asyncio.Future[Any]:
        """Call `question` while the loop is stopped, and return a future for its result.

        This is how a running test requests a fixture. pytest's machinery is synchronous and may itself run the loop, so
        the loop stops in the meantime.
        """
        future: asyncio.Future[Any] = self.loop.create_future()
        self.questions = [*(self.questions or ()), (question, future)]
        self.has_loose_ends = True
        self.stop()
        return future

    def answer(self) -> None:
        """Answer all open questions. The loop must not be running."""
        while self.questions:
            question, future = self.questions.pop(0)
            if future.done():
                continue
            try:
                value = question()
            except (KeyboardInterrupt, SystemExit):
                future.cancel()
                raise
            except BaseException as error:  # noqa: BLE001 - an outcome such as pytest.skip belongs to the requester
                if not future.done():
                    # For an AskError, only the line of the request matters, not pytest's frames below it.
                    future.set_exception(error.with_traceback(None) if isinstance(error, AskError) else error)
            else:
                if not future.done():
                    future.set_result(value)


def _where_it_stood(cause: BaseException, target: asyncio.Task[Any]) -> BaseException:
    """Return `cause` with the traceback of the cancelled task, which ends at the line where the task waited."""
    if not target.done():
        return cause
    try:
        target.result()
    except asyncio.CancelledError as cancelled:
        for note in getattr(cancelled, "__notes__", ()):  # the cancelled code may have added information
            cause.add_note(note)
        # Not shown, but it keeps alive what the cancelled code refers to, such as its tasks, until the report is made.
        cause.__context__, cause.__suppress_context__ = cancelled, True
        return cause.with_traceback(without_asyncio(cancelled.__traceback__))
    except BaseException as end:  # noqa: BLE001 - only noted on the cause
        if end is cause:
            return cause
        if cause.__cause__ is None:
            cause.__cause__ = end
        else:
            cause.add_note(f"{type(end).__name__} was raised during the cancellation: {end}")
    return cause
