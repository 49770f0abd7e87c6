"""The host, which owns one loop: it opens it, runs code on it, and closes it.

Does not know pytest, the dependencies of fixtures or the plan. It calls `run_forever` until the awaited task is done.
`asyncio.Runner.run` spends over half of its time on signal handlers: `interrupts` installs them once per session.

Invariants:
1. Nothing here uses the thread's current loop, so `asyncio.run` can be used elsewhere.
2. Closing always ends. Tasks that swallow their cancellation get `ROUNDS` rounds of `GRACE` seconds and are then
   reported.
3. A host with a lent loop (`Host.lent`) neither closes it nor ends what ran on it before. The lender does.
4. Before a loop is closed or returned to its lender, it runs for as many rounds as under `asyncio.run`, and for more if
   necessary.
5. An operation is not over while a fixture that it needs ends early: whether that has crashed is known only when its
   clean-up is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, final
from weakref import WeakSet

from looprig.exceptions import DeclarationError, StuckTaskError
from looprig.location import location_of
from looprig.runtime.current import run_forever
from looprig.runtime.ending import ended, is_closing, kept, run_last_rounds, shut_down
from looprig.runtime.errors import raise_together
from looprig.runtime.limit import Limit
from looprig.runtime.operation import ROUNDS, Operation, Resolver, running
from looprig.runtime.stacks import waits_at
from looprig.runtime.tasks import STUCK, Party, Spawning, bequeath, cancel, left_by, party_of, report_errors, tasks_of

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor  # importing it takes a millisecond

__all__ = ["EXECUTOR_GRACE", "Host", "LoopFactory", "Observer"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_NO_NEEDS: Final = frozenset[object]()

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

EXECUTOR_GRACE: Final = 10.0
"""Seconds that the threads of a loop's executor have to end when the loop closes."""


class HasDone(Protocol):
    """An object that can be waited for: a future, or a fixture that becomes ready."""

    def done(self) -> bool:
        """Return whether the wait is over."""
        ...


class Observer(Protocol):
    """An object that looks at a loop when a test or fixture on it ends."""

    def see_tasks(self, host: Host, tasks: list[asyncio.Task[Any]], owner: object, /, *, is_last: bool) -> None:
        """Look at the tasks that `owner` left, before they are cancelled. `is_last` says that the loop closes next."""
        ...

    def see_end(self, host: Host, owner: object, /) -> None:
        """Look at a loop that has something open and is about to be closed."""
        ...


@final
class Host:
    """A loop and everything that runs on it.

    >>> host = Host.open()
    >>> async def answer() -> int:
    ...     return 42
    >>> host.run(answer(), what="an answer")
    42
    >>> host.close()
    """

    __slots__ = (
        "_lenders",
        "_lent",
        "_spawning",
        "closed_by",
        "ending_early",
        "is_in_thread",
        "leaves_current",
        "loop",
        "observer",
        "spawners",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, *, lent: bool) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self._lent = lent
        # Tasks that already run on a lent loop belong to the lender, who ends them.
        self._lenders: Collection[object] = WeakSet(asyncio.all_tasks(loop)) if lent else ()
        self._spawning: Final = Spawning(loop)
        self.spawners: Final[AbstractSet[object]] = self._spawning.owners
        """The owners that have started tasks and have not ended yet, as far as is known."""
        self.closed_by: Party | None = None
        """The test or fixture that closed the loop before the host did, if known."""
        self.leaves_current: bool = False
        """Whether sync code on this host has set another current loop (see `current`)."""
        self.ending_early: Final[dict[object, asyncio.Task[Any]]] = {}
        """The fixtures that are cleaning up although they are still in use, and their tasks."""
        self.is_in_thread: bool = False
        """Whether the loop runs in a thread of its own (`loop_thread`)."""
        self.observer: Observer | None = None

    @classmethod
    def open(
        cls,
        factory: LoopFactory | None = None,
        *,
        debug: bool = False,
        executor: Callable[[], ThreadPoolExecutor] | None = None,
    ) -> Host:
        """Return a host with a new loop from `factory`, by default asyncio's own.

        Raises:
            DeclarationError: the factory did not return a loop.
        """
        # A suite's factory may be untyped, and return anything.
        made = cast("object", (factory or asyncio.new_event_loop)())
        if not isinstance(made, asyncio.AbstractEventLoop):
            raise DeclarationError(
                f"The loop factory returned {made!r}, which isn't an event loop.",
                [("factory", location_of(factory))],
                "Return an asyncio event loop, as asyncio.new_event_loop does.",
            )
        if debug:
            made.set_debug(True)
        if executor is not None:
            made.set_default_executor(executor())
        return cls(made, lent=False)

    @classmethod
    def lent(cls, loop: asyncio.AbstractEventLoop) -> Host:
        """Return a host for a loop that the caller created and will close."""
        return cls(loop, lent=True)

    def operations(self) -> list[Operation]:
        """Return the operations running on the loop, the innermost last. Requests at run time nest operations."""
        return [operation for operation in running.operations if operation.loop is self.loop]

    def note_closed(self, by: Party) -> None:
        """Record that the loop has been closed by `by`, the test or fixture that has just run."""
        self.closed_by = self.closed_by or by

    # Running

    def drive(
        self,
        waiter: HasDone,
        target: asyncio.Task[Any],
        *,
        what: str,
        owner: object = None,
        needs: AbstractSet[object] = _NO_NEEDS,
        limit: Limit | None = None,
        at_least: float = 0.0,
        resolve: Resolver | None = None,
    ) -> None:
        """Run the loop until `waiter` is done. Whatever completes `waiter` must also stop the loop or end `target`.

        `target` is cancelled by a crash of a fixture that the operation `needs`, or by the `limit` or a signal (but not
        before `at_least` seconds). The cause is then raised. `resolve` finds what the `owner` requests with
        `ask`.
        """
        loop = self.loop
        operation = Operation(loop, what, target, owner, needs, resolve)
        operation.at_least = at_least
        if limit is not None:
            operation.limit(limit)
        target.add_done_callback(operation.target_done)
        operations = running.operations
        operations.append(operation)
        try:
            while not waiter.done() and not operation.abandoned:
                operation.is_stopping = False
                run_forever(loop)
                if operation.questions is not None:
                    operation.answer()
            if self.ending_early and operation.cause is None and not loop.is_closed():
                self.wait_for_crashes(operation.needs)
        except BaseException as escaped:
            self._end_target(operation, escaped)
            raise
        finally:
            operations.pop()
            operation.is_settled = True
            if operation.has_loose_ends:
                operation.settle()
            if not target.done():  # the target continues later
                target.remove_done_callback(operation.target_done)
            if operation.abandoned:
                STUCK.add(target)
        if operation.cause is not None or limit is not None:
            operation.raise_error()

    def wait_for_crashes(self, needs: AbstractSet[object]) -> None:
        """Wait for fixtures that are ending early, for at most `ROUNDS * GRACE` seconds. A crash sets the cause."""
        for _ in range(ROUNDS):
            if left := [task for fixture, task in self.ending_early.items() if fixture in needs]:
                self.run(ended(left), what="the clean-up of a fixture that ends early")

    def _end_target(self, operation: Operation, escaped: BaseException) -> None:
        """End the target after an exit such as KeyboardInterrupt left the loop, before its fixtures are torn down.

        If a task of a task group raised the exit, the group raises it again the next time the loop runs.
        """
        target = operation.target
        if not target.done():
            operation.cancel(escaped)
        while not (target.done() or operation.abandoned):
            operation.is_stopping = False
            with suppress(KeyboardInterrupt, SystemExit):
                run_forever(self.loop)
        if target.done() and not target.cancelled():
            target.exception()  # mark it as retrieved, so that asyncio does not report it again

    def stop(self) -> None:
        """Stop the loop if this host drives it. Code of a test or the lender may run it too."""
        operations = running.operations
        if operations and operations[-1].loop is self.loop:
            operations[-1].stop()

    def run(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        what: str,
        name: str | None = None,
        context: Context | None = None,
        owner: object = None,
        needs: AbstractSet[object] = _NO_NEEDS,
        limit: Limit | None = None,
        resolve: Resolver | None = None,
    ) -> Any:
        """Run a coroutine in a new task, in `context` or a copy of it, and return its result."""
        task = self._spawning.make(coroutine, context, owner, name)
        self.drive(task, task, what=what, owner=owner, needs=needs, limit=limit, resolve=resolve)
        return task.result()

    @property
    def is_noting(self) -> bool:
        """Whether the host knows which owners start tasks. It can't under someone else's task factory."""
        return self._spawning.is_noting

    def make_task(
        self, coroutine: Coroutine[Any, Any, Any], context: Context | None, owner: object, name: str | None = None
    ) -> asyncio.Task[Any]:
        """Create the task of an owner, which runs whenever the loop does."""
        return self._spawning.make(coroutine, context, owner, name)

    def observe_tasks(self, started: Callable[[asyncio.Task[Any]], None]) -> None:
        """Call `started` with each task that tests and fixtures start, unless the loop has its own task factory."""
        self._spawning.observe(started)

    def bequeath(self, task: asyncio.Task[Any], heir: object) -> None:
        """Make a task belong to another owner, which ends it."""
        bequeath(task, heir)
        self._spawning.owners.add(heir)

    # Ending

    def end_tasks_of(self, owner: object, also: asyncio.Task[Any] | None = None, *, search: bool = False) -> None:
        """Cancel the tasks that `owner` left running, and the task `also`, and wait until all have ended.

        Tasks are searched for only if the owner started any, or may have started some under its own task factory.
        `search` forces the search, for an owner that has removed its task factory again.

        Raises:
            StuckTaskError: some tasks did not end.
        """
        if not (self._spawning.may_have_left(owner) or search) and (also is None or also.done()):
            return  # the usual case

        def left() -> list[asyncio.Task[Any]]:
            tasks = tasks_of(self.loop, owner)
            if also is not None and not also.done() and also not in tasks and also not in STUCK:
                tasks.append(also)
            return tasks

        self._end_all(left, owner, also)

    def _end_all(
        self,
        find: Callable[[], list[asyncio.Task[Any]]],
        owner: object,
        also: asyncio.Task[Any] | None = None,
        *,
        is_last: bool = False,
    ) -> None:
        """End the tasks found by `find`, and those that they start while ending."""
        for rounds in range(ROUNDS):
            if not (left := find()):
                return
            # Abandoned async generators are already being closed, so let them finish first.
            if closing := [task for task in left if is_closing(task)]:
                self.run(ended(closing), what="closing async generators")
                left = [task for task in left if not task.done()]
            if left and not rounds and self.observer is not None:  # those of later rounds are consequences
                self.observer.see_tasks(self, [task for task in left if task is not also], owner, is_last=is_last)
                left = find()
            if left:
                self._end(left, party_of(owner))
        if left := find():
            why = f"were started one after the other while {ROUNDS} times all were ended,"
            self._give_up(left, why, party_of(owner))

    def _end(self, tasks: list[asyncio.Task[Any]], owner: Party | None) -> None:
        left = tasks
        for _ in range(ROUNDS):
            for task in left:
                by = left_by(task, owner)
                cancel(task, f"left over{by}, which has ended" if by else "left over when its loop was closed")
            self.run(ended(left), what="ending tasks that were left over")
            left = [task for task in left if not task.done()]
            if not left:
                break
        report_errors(self.loop, tasks, partial(left_by, owner=owner))
        if left:
            self._give_up(left, f"swallowed their cancellation {ROUNDS} times", owner)

    @staticmethod
    def _give_up(left: list[asyncio.Task[Any]], why: str, owner: Party | None) -> None:
        STUCK.update(left)
        stuck = StuckTaskError(
            f"{len(left)} task(s) {f'of {owner[0]} ' if owner else ''}{why} and were left behind.",
            [*([owner] if owner else []), *((task.get_name(), location_of(task.get_coro())) for task in left)],
            "Let asyncio.CancelledError pass, or end the task before its fixture or test ends.",
        )
        for task in left:
            stuck.add_note("\n".join((f"{task.get_name()} waits at", *waits_at(task))))
        raise stuck

    def close(self, owner: object = None) -> None:
        """End all tasks, async generators and the executor, then close the loop. Safe to call twice.

        Messages name `owner` as the one that left the tasks.

        Raises:
            StuckTaskError: tasks or threads did not end. The loop is closed nevertheless.
        """
        loop = self.loop
        if loop.is_closed():
            return
        errors: list[Exception] = []
        try:
            self._close(owner, errors)
        finally:
            if not self._lent and not loop.is_running():
                loop.close()
        raise_together(errors, "errors while closing a loop")

    def _close(self, owner: object, errors: list[Exception]) -> None:
        loop = self.loop

        def left() -> list[asyncio.Task[Any]]:
            return [task for task in asyncio.all_tasks(loop) if task not in STUCK and task not in self._lenders]

        with kept(errors):
            self._end_all(left, owner, is_last=True)
        was_busy = run_last_rounds(loop)
        if self._lent:
            self._spawning.uninstall()
            return
        # asyncio's own loops know whether there is anything to shut down. Running the loop for nothing is expensive.
        has_generators = bool(getattr(loop, "_asyncgens", True))
        if (was_busy or has_generators) and self.observer is not None:
            self.observer.see_end(self, owner)
        if has_generators:
            with kept(errors):
                self.run(loop.shutdown_asyncgens(), what="closing async generators")
        executor: Any = getattr(loop, "_default_executor", loop)
        if executor is not None:
            with kept(errors):
                self._shut_down(executor if isinstance(executor, Executor) else None)

    def _shut_down(self, executor: Executor | None) -> None:
        if executor is None:  # uvloop hides its executor, and its own shutdown waits for threads without a limit
            self.run(self.loop.shutdown_default_executor(), what="the shutdown of the loop's executor")
            return
        limit = Limit(
            EXECUTOR_GRACE,
            lambda what: StuckTaskError(
                f"{what} took longer than {EXECUTOR_GRACE} s: a thread of it does not end.",
                (),
                "Let the code that runs in the executor end before the loop does.",
            ),
        )
        self.run(shut_down(executor), what="the shutdown of the loop's executor", limit=limit)
