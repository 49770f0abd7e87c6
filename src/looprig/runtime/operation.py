"""What a loop is being run for at this moment: a test's call, a fixture's set-up or teardown.

Does not run the loop (`host` does). One cancellation protocol serves crashes, time limits and Ctrl-C: the cause is
kept, the target is cancelled, and a target that swallows its cancellation is cancelled again a bounded number of
times and then left behind.

Invariants:
1. The first cause wins and is what the operation raises.
2. An operation ends within `ROUNDS * GRACE` seconds of its first cancellation, whatever its target does.
"""

import asyncio
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, Final, final

from looprig.exceptions import AskError
from looprig.runtime.context import Changes
from looprig.runtime.tasks import waits_at

__all__ = ["GRACE", "ROUNDS", "Limit", "Operation", "Resolver"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

Resolver = Callable[[Any], tuple[Any, tuple[Changes, ...], AbstractSet[object]]]
"""Finds what running code asks for: its value, what the asker's context must carry for it, and what it stands on."""

GRACE: Final = 2.0
"""Seconds that a cancelled task has to end before it is cancelled once more."""
ROUNDS: Final = 3
"""How often a task is cancelled before it is given up."""


@final
class Limit:
    """A time limit: a `deadline` on the monotonic clock, in seconds, and the error that passing it makes."""

    __slots__ = ("deadline", "expired")

    def __init__(self, deadline: float, expired: Callable[[str], BaseException]) -> None:
        self.deadline: Final = deadline
        self.expired: Final = expired

    def start(self, operation: "Operation", loop: asyncio.AbstractEventLoop) -> None:
        """Has the operation cancelled when the time has passed."""
        left = max(0.0, self.deadline - time.monotonic())
        operation.limiter = loop.call_later(left, lambda: operation.cancel(self.expired(operation.what)))


@final
class Operation:
    """`target` is what gets cancelled; `needs` are the fixtures whose crash ends the operation.

    `owner` is the test or fixture that runs; `resolve` answers what it asks for. `interrupted` says that a signal has
    come for it.
    """

    # Most operations are never cancelled, limited or asked: what is for those stands on the class until it is needed.
    questions: list[tuple[Callable[[], object], asyncio.Future[Any]]] | None = None
    _rounds: int = 0
    _settled: bool = False
    _timer: asyncio.TimerHandle | None = None
    abandoned: bool = False
    cause: BaseException | None = None
    interrupted: bool = False
    is_stopping: bool = False
    limiter: asyncio.TimerHandle | None = None

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        loop: asyncio.AbstractEventLoop,
        what: str,
        target: "asyncio.Task[Any]",
        owner: object,
        needs: AbstractSet[object],
        resolve: Resolver | None,
    ) -> None:
        self._loop = loop
        self.needs: AbstractSet[object] = needs
        self.owner: object = owner
        self.resolve: Resolver | None = resolve
        self.target: asyncio.Task[Any] = target
        self.what: str = what

    def cancel(self, cause: BaseException) -> None:
        """Ends the operation: its target is cancelled, and `cause` is raised in place of the cancellation."""
        if self.cause is None:
            self.cause = cause
            self._again()

    def _again(self) -> None:
        if self.target.done():
            return
        if self._rounds == ROUNDS:
            self.abandoned = True
            assert self.cause is not None
            self.cause.add_note(
                "\n".join(
                    (f"It swallowed its cancellation {ROUNDS} times and was left behind at", *waits_at(self.target))
                )
            )
            self.stop()
            return
        self._rounds += 1
        self.target.cancel()
        self._timer = self._loop.call_later(GRACE, self._again)

    def stop(self) -> None:
        """Leaves the loop, once: uvloop keeps a second stop for whoever runs the loop next."""
        if not (self.is_stopping or self._settled):
            self.is_stopping = True
            self._loop.stop()

    def target_done(self, _target: "asyncio.Task[Any]") -> None:
        """Stops the loop, should the target have ended without doing so: cancelled before its first step."""
        self.stop()

    def settle(self) -> None:
        """The operation is over: nothing of it may fire any more."""
        self._settled = True
        if self._timer is not None:
            self._timer.cancel()
        if self.limiter is not None:
            self.limiter.cancel()
        if self.questions:
            for _, future in self.questions:
                future.cancel()

    def put(self, question: Callable[[], object]) -> "asyncio.Future[Any]":
        """Has `question` called while the loop stands still; the future gets its answer.

        This is how a running test asks for a fixture: pytest's own machinery is synchronous and may itself need
        the loop, so the loop is left for as long as it takes.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        self.questions = [*(self.questions or ()), (question, future)]
        self.stop()
        return future

    def answer(self) -> None:
        """Answers all questions put so far. The loop must not be running."""
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
