"""The owners of tasks: which fixture or test a task belongs to, and which tasks it has left running.

A task in a task group belongs to the owner of the task that entered the group. Any other task belongs to the fixture or
test in whose context it was started, directly or through other tasks. Does not look at what a task does.

A task factory records which owners start tasks, so that most fixtures need no search when they end. From Python 3.12
on, a task knows its context; on 3.11, only the garbage collector does.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import contextmanager
from contextvars import Context
from types import CellType, CodeType, FrameType
from typing import Any, Final, final
from weakref import WeakKeyDictionary, WeakSet

from looprig.location import UNKNOWN, Location, is_foreign, location_of
from looprig.runtime.context import OWNER

__all__ = [
    "STARTED_DURING",
    "STUCK",
    "Party",
    "RunningTest",
    "Spawning",
    "bequeath",
    "cancel",
    "context_of",
    "entered_group_of",
    "hidden",
    "is_of_connection",
    "is_over",
    "is_started_in",
    "left_by",
    "origin_of",
    "owner_of",
    "party_of",
    "report_errors",
    "tasks_of",
]


Party = tuple[str, Location]
"""The name of a test or fixture, and its location, for messages."""


# Before Python 3.14, asyncio keeps the tasks of all loops here. Iterating over them would take longer than everything
# else at the end of a test.
_ALIVE: Final = "_all_tasks" if sys.version_info < (3, 12) else "_scheduled_tasks"
# The set inside the `WeakSet`, whose own `len` takes as long as the rest of a test's end.
_alive: Final[Any] = getattr(getattr(asyncio.tasks, _ALIVE, None), "data", None) if sys.version_info < (3, 14) else None


@final
class RunningTest:
    """A running test, as the owner of its tasks. `name` and `location` are for messages."""

    __slots__ = ("_alive_before", "_function", "is_over", "name")

    def __init__(self, name: str, function: object) -> None:
        self._alive_before: Final = 0 if _alive is None else len(_alive)
        self._function: Final = function
        self.is_over: bool = False
        self.name: Final = name

    @property
    def may_have_left_unnoted(self) -> bool:
        """Whether there may be more tasks than before the test, perhaps unrecorded because of its own task factory."""
        return _alive is None or len(_alive) > self._alive_before

    @property
    def function(self) -> object:
        """The test function, without its decorators."""
        function: Any = self._function
        return inspect.unwrap(function) if callable(function) else function

    @property
    def location(self) -> Location:
        """The location of the test function."""
        return location_of(self._function)


def is_over(owner: object) -> bool:
    """Return whether an owner is a test that has ended."""
    return isinstance(owner, RunningTest) and owner.is_over


def party_of(owner: object) -> Party | None:
    """Return the name and location of an owner, or `None` if it has no name."""
    name = getattr(owner, "name", None)
    return None if name is None else (name, getattr(owner, "location", UNKNOWN))


if sys.version_info >= (3, 12):

    def context_of(task: asyncio.Task[Any]) -> Context | None:
        """Return the context that the task runs in, if that can be known."""
        return task.get_context()

else:

    def context_of(task: asyncio.Task[Any]) -> Context | None:
        """Return the context that the task runs in, if that can be known."""
        # The task's own context comes first. Those of its done callbacks follow.
        return next((other for other in gc.get_referents(task) if isinstance(other, Context)), None)


def _owner_by_group(task: asyncio.Task[Any]) -> object:
    """Return the owner of a task that is in a group, or was started by one in a group. Otherwise return `None`."""
    if entered_group_of(task) is not None:
        return owner_of(task)
    return getattr(task, "_looprig_heir_of", None)


def owner_of(task: asyncio.Task[Any]) -> object:
    """Return the fixture or test that the task belongs to, or `None`."""
    while (entered := entered_group_of(task)) is not None and entered is not task:
        task = entered
    for mark in ("_looprig_heir_of", "_looprig_owner"):
        if (owner := getattr(task, mark, None)) is not None:
            return owner
    context = context_of(task)
    return None if context is None else context.get(OWNER)


def entered_group_of(task: asyncio.Task[Any]) -> asyncio.Task[Any] | None:
    """Return the task that entered the group of a task, or `None`.

    Groups watch their tasks by done callbacks. asyncio's is a method of the group, anyio's a closure over it.
    """
    for callback, _ in getattr(task, "_callbacks", None) or ():
        cells = getattr(callback, "__closure__", None) or ()
        for holder in (getattr(callback, "__self__", None), *(_contents(cell) for cell in cells)):
            scope = getattr(holder, "cancel_scope", None)
            for entered in (getattr(holder, "_parent_task", None), getattr(scope, "_host_task", None)):
                if isinstance(entered, asyncio.Task):
                    found: asyncio.Task[Any] = entered  # pyright: ignore[reportUnknownVariableType] # of any type
                    return found
    return None


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # the variable is unbound
        return None


_Task: Final[Any] = asyncio.Task  # kept, since a test may patch asyncio
_current_task: Final = asyncio.current_task


_CREATE_TASK: Final = asyncio.BaseEventLoop.create_task.__code__
_DEPTH: Final = 6
"""How many callers are recorded for each task. The first one or two are asyncio's."""
_OF_PROTOCOLS: Final = frozenset(
    {
        *("connection_made", "connection_lost", "data_received", "buffer_updated", "eof_received", "datagram_received"),
        "_accept_connection",
    }
)
"""Names of functions in which asyncio passes the events of a connection on."""

_frame: Final = sys._getframe  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - as in `location`

_Origin = tuple[CodeType, int, Any]
"""A code object, the index of the instruction that it was at, and the origin of the caller."""


def _note_origin(task: Any, starter: asyncio.Task[Any] | None, frame: FrameType | None) -> None:
    """Record which lines led to a new task, and whether it belongs to a connection. This is done for every task."""
    if frame is not None and frame.f_code is _CREATE_TASK:  # uvloop's isn't written in Python
        frame = frame.f_back
    if starter is None:
        task._looprig_of_connection = _is_in_protocol(frame)  # noqa: SLF001 - a mark of our own
    elif getattr(starter, "_looprig_of_connection", False):
        task._looprig_of_connection = True  # noqa: SLF001 - a mark of our own
    origin: Any = None
    for _ in range(_DEPTH):
        if frame is None:
            break
        origin = (frame.f_code, frame.f_lasti, origin)
        frame = frame.f_back
    task._looprig_origin = origin  # noqa: SLF001 - a mark of our own


def _is_in_protocol(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name in _OF_PROTOCOLS:
            return True
        frame = frame.f_back
    return False


def is_of_connection(task: asyncio.Task[Any]) -> bool:
    """Return whether a task was started, directly or through other tasks, when a connection had an event."""
    return getattr(task, "_looprig_of_connection", False)


def origin_of(task: asyncio.Task[Any]) -> list[Location]:
    """Return the lines that led to a task, the innermost first. Empty under someone else's task factory."""
    return [
        Location(code.co_filename, next((line for start, end, line in code.co_lines() if start <= index < end), 0) or 0)
        for code, index in _callers_of(task)
    ]


def is_started_in(task: asyncio.Task[Any], test: object) -> bool:
    """Return whether the function of a test, or one inside of it, started a task itself, not a library or class."""
    code = next((code for code, _ in _callers_of(task) if not is_foreign(code.co_filename)), None)
    own = getattr(getattr(test, "function", None), "__code__", None)
    if code is None or own is None or code.co_filename != own.co_filename:
        return False
    return code.co_qualname == own.co_qualname or code.co_qualname.startswith(f"{own.co_qualname}.<locals>.")


def _callers_of(task: asyncio.Task[Any]) -> list[tuple[CodeType, int]]:
    found: list[tuple[CodeType, int]] = []
    origin: _Origin | None = getattr(task, "_looprig_origin", None)
    while origin is not None:
        code, index, origin = origin
        found.insert(0, (code, index))
    return found


def bequeath(task: asyncio.Task[Any], heir: object) -> None:
    """Make a task belong to another owner, which ends it."""
    task._looprig_heir_of = heir  # type: ignore[attr-defined]  # noqa: SLF001 - a mark of our own


@final
class Spawning:
    """A loop's task factory that records which owners start tasks, so that others need no search for tasks.

    If the loop has another task factory, a search is always necessary.
    """

    __slots__ = ("_factory", "_loop", "owners")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.owners: Final[set[object]] = set()
        owners = self.owners

        def make(
            loop: asyncio.AbstractEventLoop,
            coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
            **options: Any,
        ) -> asyncio.Task[Any]:
            task: asyncio.Task[Any] = _Task(coro, loop=loop, **options)
            context = options.get("context")
            owner = OWNER.get(None) if context is None else context.get(OWNER)
            # Tasks started by a task in a group belong to the group's owner too.
            starter = _current_task(loop)
            if starter is not None and (inherited := _owner_by_group(starter)) is not None:
                task._looprig_heir_of = owner = inherited  # type: ignore[attr-defined]  # noqa: SLF001 - a mark of our own
            owners.add(owner)
            _note_origin(task, starter, _frame(1))
            return task

        self._factory: Any = None
        if loop.get_task_factory() is None:
            self._install(make)

    def _install(self, factory: Any) -> None:
        self._loop.set_task_factory(factory)
        self._factory = self._loop.get_task_factory()

    def observe(self, started: Callable[[asyncio.Task[Any]], None]) -> None:
        """Call `started` with each task that the factory makes from now on."""
        if not self.is_noting:
            return
        make = self._factory

        def make_observed(*args: Any, **options: Any) -> asyncio.Task[Any]:
            task: asyncio.Task[Any] = make(*args, **options)
            started(task)
            return task

        self._install(make_observed)

    @property
    def is_noting(self) -> bool:
        """Whether the loop's task factory is ours."""
        return self._factory is not None and self._loop.get_task_factory() is self._factory

    def make(
        self, coroutine: Coroutine[Any, Any, Any], context: Context | None, owner: object, name: str | None
    ) -> asyncio.Task[Any]:
        """Create a task in `context` or a copy of it. It isn't recorded, since the caller ends it."""
        factory = self._factory
        if factory is not None and self._loop.get_task_factory() is factory:
            # The same task as from asyncio's `create_task`, but without calling the factory.
            task: asyncio.Task[Any] = _Task(coroutine, loop=self._loop, name=name, context=context)
            if sys.version_info < (3, 12):  # for a fast `owner_of`, which is called for it after every test
                task._looprig_owner = owner  # type: ignore[attr-defined]  # noqa: SLF001 - a mark of our own
            return task
        create = self._loop.create_task  # another factory may not accept a context
        task = create(coroutine) if context is None else context.run(create, coroutine)
        if name is not None:
            task.set_name(name)
        return task

    def may_have_left(self, owner: object) -> bool:
        """Return whether the owner may have started tasks. Call it once, when the owner ends."""
        owners = self.owners
        if owner in owners:
            owners.discard(owner)
            return True
        # A timer of a test may start tasks after the test has ended.
        if owners and (over := [other for other in owners if is_over(other)]):
            owners.difference_update(over)
            return True
        return self._factory is None or self._loop.get_task_factory() is not self._factory

    def uninstall(self) -> None:
        """Remove the task factory."""
        if self.is_noting:
            self._loop.set_task_factory(None)


STARTED_DURING: Final[WeakKeyDictionary[asyncio.Task[Any], RunningTest]] = WeakKeyDictionary()
"""The test that was running when a service's task began to handle a request, if the service records that."""

STUCK: Final[WeakSet[asyncio.Task[Any]]] = WeakSet()
"""Tasks that were reported as stuck and left behind. They are never waited for again."""


@contextmanager
def hidden(task: asyncio.Task[Any]) -> Generator[None, None, None]:
    """Hide a task of a service from `asyncio.all_tasks` and from reports, since it only waits.

    Code under test may cancel all tasks, but means only its own.
    """
    asyncio._unregister_task(task)  # noqa: SLF001 - documented for those who extend asyncio
    try:
        yield
    finally:
        if not task.done():
            asyncio._register_task(task)  # noqa: SLF001 - documented for those who extend asyncio


def cancel(task: asyncio.Task[Any], message: str | None = None) -> None:
    """Cancel a task, even if it waits in a circle."""
    try:
        task.cancel(message)
    except RecursionError:
        from looprig.runtime.circles import break_circle  # noqa: PLC0415 - very rare

        break_circle(task, message)


def tasks_of(loop: asyncio.AbstractEventLoop, owner: object) -> list[asyncio.Task[Any]]:
    """Return the living tasks of `owner` and of tests that are over, without those that are stuck."""
    return [
        task
        for task in asyncio.all_tasks(loop)
        if ((found := owner_of(task)) is owner or is_over(found)) and task not in STUCK
    ]


def report_errors(
    loop: asyncio.AbstractEventLoop, tasks: Iterable[asyncio.Task[Any]], left_by: Callable[[asyncio.Task[Any]], str]
) -> None:
    """Report the errors of ended tasks to the loop's exception handler, since nothing awaits these tasks any more."""
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            loop.call_exception_handler(
                {
                    "message": f"a task that was left over{left_by(task)} ended in an error",
                    "exception": error,
                    "task": task,
                }
            )


def left_by(task: asyncio.Task[Any], owner: Party | None) -> str:
    """Return a phrase for the owner that left a task, which may have ended before the current owner."""
    party = party_of(owner_of(task)) or owner
    return f" by {party[0]} ({party[1]})" if party else ""
