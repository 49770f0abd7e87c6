"""What a loop is being run for at this moment: a test's call, a fixture's set-up or teardown.

Does not run the loop (`host` does). One cancellation protocol serves crashes, time limits and Ctrl-C: the cause is
kept, the target is cancelled, and a target that swallows its cancellation is cancelled again a bounded number of
times and then left behind.

Invariants:
1. The first cause wins and is what the operation raises.
2. An operation ends within `ROUNDS * GRACE` seconds of its first cancellation, whatever its target does.
"""

import asyncio
from collections.abc import Callable, Collection, Set
from typing import Any, Final, final

from looprig.runtime.context import Changes

__all__ = ["GRACE", "ROUNDS", "Operation", "Resolver"]

Resolver = Callable[[Any], tuple[Any, tuple[Changes, ...], Set[object]]]
"""Finds what running code asks for: its value, what the asker's context must carry for it, and what it stands on."""

GRACE: Final = 2.0
"""Seconds that a cancelled task has to end before it is cancelled once more."""
ROUNDS: Final = 3
"""How often a task is cancelled before it is given up."""


@final
class Operation:
    """`target` is what gets cancelled; `needs` are the fixtures whose crash ends the operation.

    `owner` is the test or fixture that runs; `resolve` answers what it asks for.
    """

    __slots__ = (
        "_loop",
        "_questions",
        "_rounds",
        "_timer",
        "abandoned",
        "cause",
        "needs",
        "owner",
        "resolve",
        "target",
        "what",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        what: str,
        target: "asyncio.Task[Any]",
        owner: object,
        needs: Collection[object],
        resolve: Resolver | None,
    ) -> None:
        self._loop = loop
        self._questions: list[tuple[Callable[[], object], asyncio.Future[Any]]] = []
        self._rounds = 0
        self._timer: asyncio.TimerHandle | None = None
        self.abandoned = False
        self.cause: BaseException | None = None
        self.needs: Set[object] = frozenset(needs)
        self.owner = owner
        self.resolve = resolve
        self.target = target
        self.what = what

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
                f"It swallowed its cancellation {ROUNDS} times and was left behind: {self.target!r}"
            )
            self._loop.stop()
            return
        self._rounds += 1
        self.target.cancel()
        self._timer = self._loop.call_later(GRACE, self._again)

    def settle(self) -> None:
        """The operation is over: nothing of it may fire any more."""
        if self._timer is not None:
            self._timer.cancel()
        for _, future in self._questions:
            future.cancel()

    def put(self, question: Callable[[], object]) -> "asyncio.Future[Any]":
        """Has `question` called while the loop stands still; the future gets its answer.

        This is how a running test asks for a fixture: pytest's own machinery is synchronous and may itself need
        the loop, so the loop is left for as long as it takes.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        self._questions.append((question, future))
        self._loop.stop()
        return future

    def answer(self) -> None:
        """Answers all questions put so far. The loop must not be running."""
        while self._questions:
            question, future = self._questions.pop(0)
            if future.done():
                continue
            try:
                value = question()
            except (KeyboardInterrupt, SystemExit):
                future.cancel()
                raise
            except BaseException as error:  # noqa: BLE001 - an outcome such as pytest.skip belongs to the asker
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(value)
