"""Whose a task is: who owns it, who may have started some, and which are left.

A task in a task group belongs to the owner of the task that entered the group. Any other belongs to the fixture or
test in whose context it was started, however many tasks lie between. Does not look at what a task does.

A task factory notes who starts tasks, so that nothing is searched for after most fixtures. Python 3.12 can ask a task
for its context; on 3.11 the garbage collector knows it.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context
from types import CellType
from typing import Any, Final, final
from weakref import WeakSet

from looprig.location import UNKNOWN, Location, location_of
from looprig.runtime.context import OWNER

__all__ = [
    "STUCK",
    "Party",
    "RunningTest",
    "Spawning",
    "context_of",
    "owner_of",
    "party_of",
    "report_errors",
    "tasks_of",
]


Party = tuple[str, Location]
"""Somebody that a message names, and where that was written."""


# asyncio keeps the tasks of all loops here, but for its own from Python 3.14 on. To look through them takes longer than
# all else at the end of a test.
_ALIVE: Final = "_all_tasks" if sys.version_info < (3, 12) else "_scheduled_tasks"
# The set in the `WeakSet`, whose own `len` costs as much as the rest of a test's end.
_alive: Final[Any] = getattr(getattr(asyncio.tasks, _ALIVE, None), "data", None) if sys.version_info < (3, 14) else None


def _count_alive() -> int:
    return -1 if _alive is None else len(_alive)


@final
class RunningTest:
    """A test while it runs, as the owner of its tasks. Its `name` and `location` are for messages."""

    __slots__ = ("_alive_before", "_function", "is_over", "name")

    def __init__(self, name: str, function: object) -> None:
        self._alive_before: Final = _count_alive()
        self._function: Final = function
        self.is_over: bool = False
        self.name: Final = name

    @property
    def may_have_left_unnoted(self) -> bool:
        """Whether there are more tasks than before, where that can be seen: a task factory of its own hides them."""
        alive = _count_alive()
        return alive < 0 or alive > self._alive_before

    @property
    def location(self) -> Location:
        """Where the test was written."""
        return location_of(self._function)


def is_over(owner: object) -> bool:
    """Return whether an owner is a test that has ended."""
    return isinstance(owner, RunningTest) and owner.is_over


def party_of(owner: object) -> Party | None:
    """Return the name and location of an owner, where it has them."""
    name = getattr(owner, "name", None)
    return None if name is None else (name, getattr(owner, "location", UNKNOWN))


if sys.version_info >= (3, 12):

    def context_of(task: "asyncio.Task[Any]") -> Context | None:
        """Return the context that the task runs in, if that can be known."""
        return task.get_context()

else:

    def context_of(task: "asyncio.Task[Any]") -> Context | None:
        """Return the context that the task runs in, if that can be known."""
        # What a task was made with comes before what is to be called when it is done, which has contexts as well.
        return next((other for other in gc.get_referents(task) if isinstance(other, Context)), None)


def _owner_by_group(task: "asyncio.Task[Any]") -> object:
    """Return the owner that a task has because it, or what started it, is in a group; otherwise `None`."""
    if _entered_group_of(task) is not None:
        return owner_of(task)
    return getattr(task, "_looprig_heir_of", None)


def owner_of(task: "asyncio.Task[Any]") -> object:
    """Return the fixture or test that the task belongs to, or `None`."""
    while (entered := _entered_group_of(task)) is not None and entered is not task:
        task = entered
    for mark in ("_looprig_heir_of", "_looprig_owner"):
        if (owner := getattr(task, mark, None)) is not None:
            return owner
    context = context_of(task)
    return None if context is None else context.get(OWNER)


def _entered_group_of(task: "asyncio.Task[Any]") -> "asyncio.Task[Any] | None":
    """Return the task that entered the group which the task is in.

    A group learns of the end of its tasks by a done callback: a method of asyncio's group, a closure over anyio's.
    """
    for callback, _ in getattr(task, "_callbacks", None) or ():
        cells = getattr(callback, "__closure__", None) or ()
        for holder in (getattr(callback, "__self__", None), *(_contents(cell) for cell in cells)):
            scope = getattr(holder, "cancel_scope", None)
            for entered in (getattr(holder, "_parent_task", None), getattr(scope, "_host_task", None)):
                if isinstance(entered, asyncio.Task):
                    found: asyncio.Task[Any] = entered  # pyright: ignore[reportUnknownVariableType] # of whatever
                    return found
    return None


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # the variable is not bound
        return None


_Task: Final[Any] = asyncio.Task  # a test may replace it in asyncio
_current_task: Final = asyncio.current_task


@final
class Spawning:
    """Notes, in a loop's task factory, who starts tasks: of whoever did not, there is nothing to look for.

    Where the loop has a task factory of somebody else, nothing is known, and whoever asks has to look.
    """

    __slots__ = ("_factory", "_loop", "_owners")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        owners = self._owners = set[object]()

        def make(
            loop: asyncio.AbstractEventLoop,
            coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
            **options: Any,
        ) -> "asyncio.Task[Any]":
            task: asyncio.Task[Any] = _Task(coro, loop=loop, **options)
            context = options.get("context")
            owner = OWNER.get(None) if context is None else context.get(OWNER)
            # What a task in a group starts is the group's, as the task itself is.
            starter = _current_task(loop)
            if starter is not None and (inherited := _owner_by_group(starter)) is not None:
                task._looprig_heir_of = owner = inherited  # type: ignore[attr-defined]  # noqa: SLF001 - a mark of our own
            owners.add(owner)
            return task

        self._factory: Any = None
        if loop.get_task_factory() is None:
            loop.set_task_factory(make)
            self._factory = loop.get_task_factory()

    @property
    def is_noting(self) -> bool:
        """Whether the loop's task factory is ours."""
        return self._factory is not None and self._loop.get_task_factory() is self._factory

    def make(
        self, coroutine: Coroutine[Any, Any, Any], context: Context | None, owner: object, name: str | None
    ) -> "asyncio.Task[Any]":
        """A task, in `context` or a copy of it, that whoever makes it looks after: it is not noted."""
        factory = self._factory
        if factory is not None and self._loop.get_task_factory() is factory:
            # What asyncio's own `create_task` makes, without the way through the factory.
            task: asyncio.Task[Any] = _Task(coroutine, loop=self._loop, name=name, context=context)
            if sys.version_info < (3, 12):  # it lives long, and is looked at after every test
                task._looprig_owner = owner  # type: ignore[attr-defined]  # noqa: SLF001 - a mark of our own
            return task
        create = self._loop.create_task  # whose factory may be one that takes no context
        task = create(coroutine) if context is None else context.run(create, coroutine)
        if name is not None:
            task.set_name(name)
        return task

    def may_have_left(self, owner: object) -> bool:
        """Whether the owner may have started tasks; asked once, at its end."""
        owners = self._owners
        if owner in owners:
            owners.discard(owner)
            return True
        # A timer of a test may start something after the end of the test.
        if owners and (over := [other for other in owners if is_over(other)]):
            owners.difference_update(over)
            return True
        return not self.is_noting

    def uninstall(self) -> None:
        """Gives the loop back as it was."""
        if self.is_noting:
            self._loop.set_task_factory(None)


STUCK: Final[WeakSet["asyncio.Task[Any]"]] = WeakSet()
"""Tasks that were told of as stuck and left behind: nobody waits for them again."""


def tasks_of(loop: asyncio.AbstractEventLoop, owner: object) -> "list[asyncio.Task[Any]]":
    """Return the tasks of `owner`, and of tests that are over, that still live, but for those that are stuck."""
    return [
        task
        for task in asyncio.all_tasks(loop)
        if ((found := owner_of(task)) is owner or is_over(found)) and task not in STUCK
    ]


def report_errors(
    loop: asyncio.AbstractEventLoop, tasks: "Iterable[asyncio.Task[Any]]", left_by: "Callable[[asyncio.Task[Any]], str]"
) -> None:
    """Hand errors of ended tasks, which nobody awaits any more, to the loop's exception handler."""
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            loop.call_exception_handler(
                {
                    "message": f"a task that was left over{left_by(task)} ended in an error",
                    "exception": error,
                    "task": task,
                }
            )
