"""Whose a task is, and how tasks that were left over are ended.

A task belongs to the fixture or test in whose context it was started, however many tasks lie between. Does not
look at what a task does.

Python 3.12 can ask a task for its context. On 3.11 a task factory notes the owner when the task is made.
"""

import asyncio
import gc
import sys
from collections.abc import Coroutine, Generator, Iterable
from inspect import isasyncgen
from typing import Any, Final
from weakref import WeakSet

from looprig.location import Location
from looprig.runtime.context import OWNER

__all__ = ["STUCK", "note_owners", "owner_of", "report_errors", "tasks_of", "waits_at"]

if sys.version_info >= (3, 12):

    def note_owners(loop: asyncio.AbstractEventLoop) -> None:
        """Nothing to do: a task knows its context."""

    def owner_of(task: "asyncio.Task[Any]") -> object:
        """The fixture or test that the task belongs to, or `None`."""
        return task.get_context().get(OWNER)

else:

    def note_owners(loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop's tasks know their owners, unless the loop has a task factory of its own."""
        if loop.get_task_factory() is None:
            loop.set_task_factory(_make_owned)

    def owner_of(task: "asyncio.Task[Any]") -> object:
        """The fixture or test that the task belongs to, or `None`."""
        return getattr(task, "_looprig_owner", None)

    def _make_owned(
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(coro, loop=loop, **options)
        context = options.get("context")
        owner = OWNER.get(None) if context is None else context.get(OWNER)
        task._looprig_owner = owner  # type: ignore[attr-defined]  # noqa: SLF001 - a mark of our own
        return task


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
