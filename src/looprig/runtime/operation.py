"""What a loop is being run for at this moment: a test's call, a fixture's set-up or teardown.

Does not run the loop (`host` does). One cancellation protocol serves crashes, time limits and Ctrl-C: the cause is
kept, the target is cancelled, and a target that swallows its cancellation is cancelled again a bounded number of
times and then left behind.

Invariants:
1. The first cause wins and is what the operation raises.
2. An operation ends within `ROUNDS * GRACE` seconds of its first cancellation, unless its target blocks the loop.
3. Once the target is done, the loop is left only when its done callbacks have run, and what it and they have
   scheduled: `asyncio.run` gives them these rounds too.
"""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from threading import local
from typing import Any, Final, final

from looprig.exceptions import AskError
from looprig.runtime.clock import Alarm, now, ring_on
from looprig.runtime.context import Changes
from looprig.runtime.stacks import others_of, waits_at

__all__ = ["GRACE", "ROUNDS", "Limit", "Operation", "Resolver", "has_more", "running"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

Resolver = Callable[[Any], tuple[Any, tuple[Changes, ...], AbstractSet[object]]]
"""Finds what running code asks for: its value, what the asker's context must carry for it, and what it stands on."""

GRACE: Final = 2.0
"""Seconds that a cancelled task has to end before it is cancelled once more."""
ROUNDS: Final = 3
"""How often a task is cancelled before it is given up."""

_LAST_ROUNDS: Final = 10
"""How many rounds a loop gets at most after its target is done, where it can be seen whether it needs them."""
_BLIND_ROUNDS: Final = 4
"""How many rounds it gets where that cannot be seen, as on uvloop: as many as under `asyncio.run`."""


class _Running(local):
    """The operations that run right now in this thread, the innermost last: it may run inside of another loop's."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []


running: Final = _Running()


def has_more(loop: asyncio.AbstractEventLoop, rounds: int) -> bool:
    """Return whether callbacks are left for a loop to run, after it had some `rounds` for them."""
    ready: Any = getattr(loop, "_ready", None)
    return rounds < _BLIND_ROUNDS if ready is None else bool(ready) and rounds < _LAST_ROUNDS


@final
class Limit:
    """A time limit of `seconds` from now, in real time, and the error that passing it makes."""

    __slots__ = ("deadline", "expired")

    def __init__(self, seconds: float, expired: Callable[[str], BaseException]) -> None:
        self.deadline: Final = now() + seconds
        self.expired: Final = expired

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return now() >= self.deadline


@final
class Operation:
    """`target` is what gets cancelled; `needs` are the fixtures whose crash ends the operation.

    `owner` is the test or fixture that runs; `resolve` answers what it asks for. `interrupted` says that a signal has
    come for it, `insisted` how often it was sent once more.
    """

    # Most operations are never cancelled, limited or asked: what is for those stands on the class until it is needed.
    questions: list[tuple[Callable[[], object], asyncio.Future[Any]]] | None = None
    _alarms: tuple[Alarm, ...] = ()
    _cancellations: int = 0
    _deadline: float = 0.0
    _limit: Limit | None = None
    _rounds: int = 0
    abandoned: bool = False
    cause: BaseException | None = None
    insisted: int = 0
    interrupted: bool = False
    is_settled: bool = False
    is_stopping: bool = False

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        loop: asyncio.AbstractEventLoop,
        what: str,
        target: "asyncio.Task[Any]",
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

    def limit(self, limit: Limit, at_least: float) -> None:
        """Cancel the operation when the time has passed, but leave it `at_least` some seconds."""
        self._limit = limit
        self._deadline = max(limit.deadline, now() + at_least)
        self._call_at(self._deadline, self._expire)

    def _expire(self) -> None:
        if self.cause is None and not (self.is_settled or self.target.done()):
            self.cancel(self._expired())

    def _expired(self) -> BaseException:
        assert self._limit is not None
        error = self._limit.expired(self.what)
        if others := others_of(self.loop, self.target):
            error.add_note("\n".join(("Beside it, on the same loop:", *others)))
        return error

    def blocked_too_long(self) -> BaseException | None:
        """Return the error of an operation that ended after its limit, and blocked the loop so that it was not met."""
        if self._limit is None or self.cause is not None or now() < self._deadline:
            return None
        error = self._limit.expired(self.what)
        error.add_note("It did not wait on the loop: something in it blocked the thread.")
        return error

    # Ending before it is done

    def cancel(self, cause: BaseException) -> None:
        """End the operation: its target is cancelled, and `cause` is raised in place of the cancellation."""
        if self.cause is None:
            self.cause = cause
            self._again()

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
        self.target.cancel()
        self._call_at(now() + GRACE, self._again)

    def _call_at(self, deadline: float, callback: Callable[[], None]) -> None:
        self.keep(Alarm(deadline, ring_on(self.loop, callback)))

    def keep(self, alarm: Alarm) -> None:
        """Cancel an alarm when the operation is over."""
        self._alarms = (*self._alarms, alarm)

    # Leaving the loop

    def stop(self) -> None:
        """Leave the loop, once: uvloop keeps a second stop for whoever runs the loop next."""
        if not (self.is_stopping or self.is_settled):
            self.is_stopping = True
            self.loop.stop()

    def target_done(self, _target: object = None) -> None:
        """Leave the loop once it has nothing more to run, or has had the rounds that it gets."""
        if has_more(self.loop, self._rounds):
            self._rounds += 1
            self.loop.call_soon(self.target_done)
        else:
            self.stop()

    def settle(self) -> None:
        """The operation is over: nothing of it may fire any more."""
        self.is_settled = True
        for alarm in self._alarms:
            alarm.cancel()
        if self.questions:
            for _, future in self.questions:
                future.cancel()

    # Questions

    def put(self, question: Callable[[], object]) -> "asyncio.Future[Any]":
        """Have `question` called while the loop stands still; the future gets its answer.

        This is how a running test asks for a fixture: pytest's own machinery is synchronous and may itself need
        the loop, so the loop is left for as long as it takes.
        """
        future: asyncio.Future[Any] = self.loop.create_future()
        self.questions = [*(self.questions or ()), (question, future)]
        self.stop()
        return future

    def answer(self) -> None:
        """Answer all questions put so far. The loop must not be running."""
        while self.questions:
            question, future = self.questions.pop(0)
            if future.done():
                continue
            try:
                value = question()
            except (KeyboardInterrupt, SystemExit):
                future.cancel()
                raise
            except BaseException as error:  # noqa: BLE001 - an outcome such as pytest.skip belongs to the asker
                if not future.done():
                    # Where it was asked is what matters, not the way that pytest went from there.
                    future.set_exception(error.with_traceback(None) if isinstance(error, AskError) else error)
            else:
                if not future.done():
                    future.set_result(value)
