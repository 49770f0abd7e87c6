"""A host owns one loop: it opens it, runs on it what it is handed, and closes it.

Does not know of pytest, of fixtures' dependencies or of the plan. Entering the loop is `run_forever` until what is
waited for is done: `asyncio.Runner.run` spends over half of its time on signal handlers, which are installed once
per session here (`interrupts`).

Invariants:
1. Nothing here asks for the thread's current loop, so an `asyncio.run` elsewhere harms nobody.
2. Closing ends: tasks that swallow their cancellation get `ROUNDS` rounds of `GRACE` seconds and are then reported.
3. A host that was lent a loop (`Host.lent`) does not close it, nor end what ran on it before: whoever made it does.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Generator
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Final, Protocol, cast, final
from weakref import WeakSet

from looprig.exceptions import DeclarationError, StuckTaskError
from looprig.location import location_of
from looprig.runtime.interrupts import running
from looprig.runtime.operation import GRACE, ROUNDS, Limit, Operation, Resolver
from looprig.runtime.tasks import STUCK, Spawning, report_errors, tasks_of, waits_at

__all__ = ["EXECUTOR_GRACE", "Host", "LoopFactory"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_NO_NEEDS: Final = frozenset[object]()

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

EXECUTOR_GRACE: Final = 10.0
"""Seconds that the threads of a loop's executor have to end when the loop closes."""


class HasDone(Protocol):
    """Something that is done at some time: a future, or a fixture that gets ready."""

    def done(self) -> bool:
        """Whether there is nothing more to wait for."""
        ...


@final
class Host:
    """One loop and what runs on it.

    >>> host = Host.open()
    >>> async def answer() -> int:
    ...     return 42
    >>> host.run(answer(), what="an answer")
    42
    >>> host.close()
    """

    __slots__ = ("_lenders", "_lent", "_spawning", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, lent: bool) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self._lent = lent
        # What runs on a loop that was lent was started by whoever lent it, and is theirs to end.
        self._lenders: Collection[object] = WeakSet(asyncio.all_tasks(loop)) if lent else ()
        self._spawning: Final = Spawning(loop)

    @classmethod
    def open(
        cls,
        factory: LoopFactory | None = None,
        *,
        debug: bool = False,
        executor: Callable[[], ThreadPoolExecutor] | None = None,
    ) -> "Host":
        """A host with a new loop, from `factory` (default: asyncio's own)."""
        # A suite's factory may not be typed.
        made = cast("object", (factory or asyncio.new_event_loop)())
        if not isinstance(made, asyncio.AbstractEventLoop):
            raise DeclarationError(
                f"The loop factory gave {made!r}, which is no event loop.",
                [("factory", location_of(factory))],
                "Give what makes an asyncio event loop, as asyncio.new_event_loop does.",
            )
        loop = made
        if debug:
            loop.set_debug(True)
        if executor is not None:
            loop.set_default_executor(executor())
        return cls(loop, lent=False)

    @classmethod
    def lent(cls, loop: asyncio.AbstractEventLoop) -> "Host":
        """A host over a loop that somebody else made and will close."""
        return cls(loop, lent=True)

    @property
    def is_running(self) -> bool:
        """Whether code runs on the loop at this moment."""
        return self.loop.is_running()

    def operations(self) -> list[Operation]:
        """What the loop is being run for, the innermost last: a running test may have asked for a fixture."""
        return [operation for loop, operation in running if loop is self.loop]

    # Running

    def drive(
        self,
        waiter: HasDone,
        target: "asyncio.Task[Any]",
        *,
        what: str,
        owner: object = None,
        needs: AbstractSet[object] = _NO_NEEDS,
        limit: Limit | None = None,
        resolve: Resolver | None = None,
        has_begun: bool = False,
    ) -> None:
        """Runs the loop until `waiter` is done; what makes it done has to stop the loop, or else to end `target`.

        `target` is cancelled by a crash of what the operation `needs`, by the `limit`, or by a signal; the cause is
        then raised. One that `has_begun` is sure to come to where it stops the loop. `resolve` finds what code of the
        `owner` asks for with `ask`.
        """
        loop = self.loop
        operation = Operation(loop, what, target, owner, needs, resolve)
        if limit is not None:
            limit.start(operation, loop)
        if not has_begun:
            target.add_done_callback(operation.target_done)
        running.append((loop, operation))
        try:
            while not waiter.done() and not operation.abandoned:
                operation.is_stopping = False
                loop.run_forever()
                if operation.questions is not None:
                    operation.answer()
        except BaseException:
            if target.done() and not target.cancelled():
                target.exception()  # KeyboardInterrupt comes this way too: asyncio is not to tell of it again
            raise
        finally:
            running.pop()
            operation.settle()
            if not (has_begun or target.done()):  # it goes on without us
                target.remove_done_callback(operation.target_done)
            if operation.abandoned:
                STUCK.add(target)
        if operation.cause is not None:
            raise _where_it_stood(operation.cause, target)

    async def _stopping(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Stops the loop from within: a callback on the task would cost one more round of the loop."""
        try:
            return await coroutine
        finally:
            self.stop()

    def stop(self) -> None:
        """Leaves the loop, if it is being driven: it may also be run by code of a test or of whoever lent it."""
        if running and running[-1][0] is self.loop:
            running[-1][1].stop()

    def run(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        what: str,
        context: Context | None = None,
        owner: object = None,
        needs: AbstractSet[object] = _NO_NEEDS,
        limit: Limit | None = None,
        resolve: Resolver | None = None,
    ) -> Any:
        """Runs a coroutine in a task of its own, in `context` or a copy of it, and gives what it returns."""
        task = self.make_task(self._stopping(coroutine), context, owner)
        self.drive(task, task, what=what, owner=owner, needs=needs, limit=limit, resolve=resolve)
        return task.result()

    @property
    def is_noting(self) -> bool:
        """Whether it is known who starts tasks: not under a task factory of somebody else."""
        return self._spawning.is_noting

    def make_task(
        self, coroutine: Coroutine[Any, Any, Any], context: Context | None, owner: object, name: str | None = None
    ) -> "asyncio.Task[Any]":
        """The task that an owner lives in; it runs whenever the loop does."""
        return self._spawning.make(coroutine, context, owner, name)

    # Ending

    def end_tasks_of(self, owner: object, also: "asyncio.Task[Any] | None" = None, *, search: bool = False) -> None:
        """Cancels the tasks that `owner` left over, and `also`, and waits for them.

        They are searched for where the owner is known to have started some, or may have under a task factory of its
        own; `search` has them searched for even if that is gone again.

        Raises:
            StuckTaskError: some would not end.
        """
        may_have_left = self._spawning.may_have_left(owner) or search
        if not may_have_left and (also is None or also.done()):
            return  # as nearly always

        def left() -> "list[asyncio.Task[Any]]":
            tasks = tasks_of(self.loop, owner)
            if also is not None and not also.done() and also not in tasks and also not in STUCK:
                tasks.append(also)
            return tasks

        self._end_all(left)

    def _end_all(self, find: "Callable[[], list[asyncio.Task[Any]]]") -> None:
        """Ends what is found, and what that starts while it ends."""
        for _ in range(ROUNDS):
            if not (left := find()):
                return
            self._end(left)
        if left := find():
            self._give_up(left, f"were started one after the other while {ROUNDS} times all were ended,")

    def _end(self, tasks: "list[asyncio.Task[Any]]") -> None:
        left = tasks
        for _ in range(ROUNDS):
            for task in left:
                task.cancel()
            self.run(asyncio.wait(left, timeout=GRACE), what="ending tasks that were left over")
            left = [task for task in left if not task.done()]
            if not left:
                break
        report_errors(self.loop, tasks)
        if left:
            self._give_up(left, f"swallowed their cancellation {ROUNDS} times")

    @staticmethod
    def _give_up(left: "list[asyncio.Task[Any]]", why: str) -> None:
        STUCK.update(left)
        stuck = StuckTaskError(
            f"{len(left)} task(s) {why} and were left behind.",
            [(task.get_name(), location_of(task.get_coro())) for task in left],
            "Let asyncio.CancelledError pass, or end the task before its fixture or test ends.",
        )
        for task in left:
            stuck.add_note("\n".join((f"{task.get_name()} stands at", *waits_at(task))))
        raise stuck

    def close(self) -> None:
        """Ends all tasks, async generators and the executor, then closes the loop. Safe to call twice.

        Raises:
            StuckTaskError: tasks or threads would not end; the loop is closed all the same.
        """
        loop = self.loop
        if loop.is_closed():
            return
        errors: list[Exception] = []
        with _kept(errors):
            self._end_all(
                lambda: [task for task in asyncio.all_tasks(loop) if task not in STUCK and task not in self._lenders]
            )
        if self._lent:
            self._spawning.uninstall()
            _raise_all(errors)
            return
        # asyncio's own loops say whether there is anything to shut down; entering the loop for nothing is dear.
        if getattr(loop, "_asyncgens", True):
            with _kept(errors):
                self.run(loop.shutdown_asyncgens(), what="closing async generators")
        if getattr(loop, "_default_executor", True) is not None:
            with _kept(errors):
                self._shut_down_executor()
        loop.close()
        _raise_all(errors)

    def _shut_down_executor(self) -> None:
        self.run(
            self.loop.shutdown_default_executor(),
            what="the shutdown of the loop's executor",
            limit=Limit(
                time.monotonic() + EXECUTOR_GRACE,
                lambda what: StuckTaskError(
                    f"{what} took longer than {EXECUTOR_GRACE} s: a thread of it does not end.",
                    (),
                    "Let the code that runs in the executor end before the loop does.",
                ),
            ),
        )


def _where_it_stood(cause: BaseException, target: "asyncio.Task[Any]") -> BaseException:
    """The cause, with the traceback of what it cancelled: so it ends at the line that waited."""
    if not target.done():
        return cause
    try:
        target.result()
    except asyncio.CancelledError as cancelled:
        return cause.with_traceback(cancelled.__traceback__)
    except BaseException as end:  # noqa: BLE001 - it is only told of
        if end is cause:
            return cause
        if cause.__cause__ is None:
            cause.__cause__ = end
        else:
            cause.add_note(f"While it was ended, {type(end).__name__} was raised: {end}")
    return cause


@contextmanager
def _kept(errors: list[Exception]) -> Generator[None, None, None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each step of closing is tried; the errors are raised together
        errors.append(error)


def _raise_all(errors: list[Exception]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("errors while closing a loop", errors)
