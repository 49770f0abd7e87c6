"""The waits of tasks: their chains of awaits, who started them, and which tasks wait for each other.

For the reports about time limits and deadlocks. Does not decide which tasks are stuck. Loaded when a report is made.

asyncio's locks don't record who holds them. But while a coroutine is inside an `async with`, its frame refers to the
`__aexit__` to call, and the garbage collector shows that.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from types import FunctionType, MethodType
from typing import Any, Final, NamedTuple, final

from looprig.runtime.stacks import Frame, frames_of, is_of_suite, is_own
from looprig.runtime.tasks import STARTED_DURING, is_over, owner_of, party_of

__all__ = ["Wait", "described", "notes_on", "notes_on_cycles", "waits_on"]

Task = asyncio.Task[Any]

_SHOWN: Final = 10
"""Maximum number of tasks to show."""


@final
class Wait(NamedTuple):
    """A task that waits.

    Attributes:
        frames: the chain of awaits, the outermost first.
        tasks: the tasks that it waits for.
        holders: the tasks that hold the lock that it waits for.
    """

    task: Task
    frames: list[Frame]
    tasks: tuple[Task, ...]
    holders: tuple[Task, ...]

    @property
    def lines(self) -> list[str]:
        """The lines of the chain in the suite's own code or, if there are none, only the innermost line."""
        return [frame.text for frame in self.frames if is_of_suite(frame.path)] or [
            frame.text for frame in self.frames[-1:]
        ]

    @property
    def is_in_suite(self) -> bool:
        """Whether a line of the chain is in the suite's own code."""
        return any(is_of_suite(frame.path) for frame in self.frames)

    @property
    def what(self) -> str:
        """The tasks that it waits for, or the function that the suite's code called, as `Queue.get`."""
        if self.tasks:
            return _names(self.tasks)
        called = self._called()
        return f"{called}, held by {_names(self.holders)}," if self.holders else called

    def _called(self) -> str:
        last = max((number for number, frame in enumerate(self.frames) if is_of_suite(frame.path)), default=-1)
        names = [frame.name for frame in self.frames[last + 1 :]]
        public = (name for name in names if not name.rpartition(".")[2].startswith("_"))
        return next(public, names[-1] if names else "a future")


def waits_on(loop: asyncio.AbstractEventLoop) -> list[Wait]:
    """Return the waits of all tasks of a loop, except those of fixtures that wait at their `yield`."""
    tasks = {task: [*frames_of(task)] for task in asyncio.all_tasks(loop)}
    chains = {task: frames for task, frames in tasks.items() if not all(is_own(frame.path) for frame in frames)}
    held = {task: [*_entered(frames)] for task, frames in chains.items()}
    return [Wait(task, frames, _awaited(task, frames), _holders(task, chains, held)) for task, frames in chains.items()]


def described(wait: Wait, owner: object = None) -> str:
    """Return the text about a task: its name, who started it unless that is `owner`, what it waits for, and where."""
    started_by = owner_of(wait.task)
    party = None if started_by is owner else party_of(started_by)
    name = wait.task.get_name()
    during = STARTED_DURING.get(wait.task)
    if during is not None and during.is_over:
        name = f"{name}, left over from {during.name},"
    elif party is not None and party[0] != name:
        name = f"{name}, started by {party[0]} ({party[1]}),"
    return "\n".join((f"{name} waits for {wait.what} at", *wait.lines))


def notes_on(loop: asyncio.AbstractEventLoop, target: Task, *, with_target: bool = False) -> list[str]:
    """Return notes for the error of a task that took too long: what it waits for, and the other tasks of its loop.

    Of these, tasks in the suite's own code come first. Tasks that handle a request of a test that has ended come last.
    `with_target` adds where the task itself waits, for an error without a traceback.
    """
    waits = waits_on(loop)
    own = [wait for wait in waits if wait.task is target]
    others = sorted((wait for wait in waits if wait.task is not target), key=_rank)
    if with_target:
        notes = [described(wait, owner_of(target)) for wait in own]
    else:
        notes = [f"It waits for {wait.what.removesuffix(',')}." for wait in own if wait.tasks or wait.holders]
    notes += notes_on_cycles(waits)
    if others:
        texts = [described(wait, owner_of(target)) for wait in others[:_SHOWN]]
        more = [f"and {len(others) - _SHOWN} more"] if len(others) > _SHOWN else []
        notes.append("\n".join(("Beside it, on the same loop:", *texts, *more)))
    return notes


def _rank(wait: Wait) -> tuple[int, str]:
    return 2 if is_over(STARTED_DURING.get(wait.task)) else 0 if wait.is_in_suite else 1, wait.task.get_name()


def notes_on_cycles(waits: Iterable[Wait]) -> list[str]:
    """Return a note for each cycle of tasks that wait for each other."""
    notes: list[str] = []
    for cycle in _cycles_in(waits):
        names = [task.get_name() for task in cycle]
        first = names.index(min(names))  # tasks come in no order
        names = names[first:] + names[:first]
        notes.append(f"Each waits for the next: {' -> '.join([*names, names[0]])}.")
    return notes


def _cycles_in(waits: Iterable[Wait]) -> list[list[Task]]:
    """Return the cycles of tasks that wait for each other, each once. The last task of one waits for the first."""
    edges = {wait.task: (*wait.tasks, *wait.holders) for wait in waits}
    found: list[list[Task]] = []
    seen: set[Task] = set()

    def follow(path: list[Task]) -> None:
        for task in edges.get(path[-1], ()):
            if task in path:
                cycle = path[path.index(task) :]
                if not any(set(cycle) == set(other) for other in found):
                    found.append(cycle)
            elif task not in seen:
                follow([*path, task])
        seen.add(path[-1])

    for task in edges:
        if task not in seen:
            follow([task])
    return found


# What a task waits for


def _awaited(task: Task, frames: list[Frame]) -> tuple[Task, ...]:
    """Return the unfinished tasks that a task awaits, directly or through asyncio's own functions."""
    found = dict.fromkeys(_tasks_in(getattr(task, "_fut_waiter", None)))
    if (
        not found
        and frames
        and frames[-1].module in {"asyncio.tasks", "asyncio.taskgroups", "anyio._backends._asyncio"}
    ):
        for value in frames[-1].values.values():
            # A task group, or the futures given to `wait`.
            found |= dict.fromkeys(_tasks_in(getattr(value, "_tasks", value)))
    return tuple(each for each in found if each is not task and not each.done())


def _tasks_in(value: Any) -> Iterator[Task]:
    if isinstance(value, asyncio.Task):
        yield value
        return
    children: Any = getattr(value, "_children", None)  # of `gather`
    if children is None and isinstance(value, set | frozenset | list | tuple):
        children = value  # pyright: ignore[reportUnknownVariableType]
    for child in children or ():
        if isinstance(child, asyncio.Future) and child is not value:
            yield from _tasks_in(child)


def _entered(frames: list[Frame]) -> Iterator[object]:
    """Yield the context managers that a chain of coroutines has entered, or is entering, with `async with`."""
    for frame in frames:
        referents = gc.get_referents(frame.awaitable)
        for each, following in pairwise((*referents, None)):
            if getattr(each, "__name__", None) != "__aexit__":
                continue
            if isinstance(each, MethodType):
                yield each.__self__
            elif isinstance(each, FunctionType):  # from Python 3.14 on, the frame refers to the object separately
                yield following


def _lock_of(frames: list[Frame]) -> object:
    """Return the lock that a chain waits for, or `None`."""
    last = frames[-1] if frames else None
    return last.values.get("self") if last is not None and last.module == "asyncio.locks" else None


def _holders(task: Task, chains: Mapping[Task, list[Frame]], held: Mapping[Task, list[object]]) -> tuple[Task, ...]:
    lock = _lock_of(chains[task])
    if lock is None:
        return ()
    return tuple(
        other
        for other, locks in held.items()
        if any(each is lock for each in locks) and _lock_of(chains[other]) is not lock
    )


def _names(tasks: tuple[Task, ...]) -> str:
    names = sorted(task.get_name() for task in tasks)
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"task {shown}" if len(names) == 1 else f"tasks {shown}"
