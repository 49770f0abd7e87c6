"""Whose a task is, and how tasks that were left over are ended.

A task belongs to the fixture or test in whose context it was started, however many tasks lie between. Does not
look at what a task does.

A task factory notes who starts tasks, so that nothing is searched for after most fixtures. Python 3.12 can ask a task
for its context; on 3.11 the garbage collector knows it.
"""

import asyncio
import gc
import sys
from collections.abc import Coroutine, Generator, Iterable
from contextvars import Context
from inspect import isasyncgen
from typing import Any, Final, final
from weakref import WeakSet

from looprig.location import Location
from looprig.runtime.context import OWNER

__all__ = ["STUCK", "Spawning", "owner_of", "report_errors", "tasks_of", "waits_at"]

if sys.version_info >= (3, 12):

    def owner_of(task: "asyncio.Task[Any]") -> object:
        """The fixture or test that the task belongs to, or `None`."""
        return task.get_context().get(OWNER)

else:

    def owner_of(task: "asyncio.Task[Any]") -> object:
        """The fixture or test that the task belongs to, or `None`."""
        if (owner := getattr(task, "_looprig_owner", None)) is not None:
            return owner
        # What a task was made with comes before what is to be called when it is done, which has contexts as well.
        context = next((other for other in gc.get_referents(task) if isinstance(other, Context)), None)
        return None if context is None else context.get(OWNER)


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
            task = asyncio.Task(coro, loop=loop, **options)
            context = options.get("context")
            owners.add(OWNER.get(None) if context is None else context.get(OWNER))
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
        if self.is_noting:  # then it is what asyncio's own `create_task` makes, without the way through the factory
            task = asyncio.Task(coroutine, loop=self._loop, name=name, context=context)
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
        if owner in self._owners:
            self._owners.discard(owner)
            return True
        return not self.is_noting

    def uninstall(self) -> None:
        """Gives the loop back as it was."""
        if self.is_noting:
            self._loop.set_task_factory(None)


STUCK: Final[WeakSet["asyncio.Task[Any]"]] = WeakSet()
"""Tasks that were told of as stuck and left behind: nobody waits for them again."""


def waits_at(task: "asyncio.Task[Any]") -> list[str]:
    """Where a task waits, `path:line in function` for each coroutine on the way to what it awaits, the outermost first.

    A task itself tells only of the outermost one.
    """
    lines: list[str] = []
    waits: Any = task.get_coro()
    while waits is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(waits, f"{kind}_frame", None)
            if frame is not None:
                lines.append(f"  {Location(frame.f_code.co_filename, frame.f_lineno)} in {frame.f_code.co_name}")
                waits = getattr(waits, f"{kind}_await" if kind != "gi" else "gi_yieldfrom")
                break
        else:
            # A step of an async generator has no name for its generator; the garbage collector knows it.
            waits = next((other for other in gc.get_referents(waits) if isasyncgen(other)), None)
    return lines


def tasks_of(loop: asyncio.AbstractEventLoop, owner: object) -> "list[asyncio.Task[Any]]":
    """The tasks of `owner` that still live, but for those that are stuck."""
    return [task for task in asyncio.all_tasks(loop) if owner_of(task) is owner and task not in STUCK]


def report_errors(loop: asyncio.AbstractEventLoop, tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Hands errors of ended tasks, which nobody awaits any more, to the loop's exception handler."""
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            loop.call_exception_handler(
                {"message": "a task that was left over ended in an error", "exception": error, "task": task}
            )
