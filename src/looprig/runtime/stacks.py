"""The stacks of tasks: their chains of awaits, for reports about time limits and tasks that do not end.

Does not decide which tasks are stuck.
"""

import asyncio
import gc
import os
from collections.abc import Iterator
from inspect import isasyncgen
from pathlib import Path
from types import CodeType
from typing import Any, Final

from looprig.location import Location, is_foreign
from looprig.runtime.tasks import STARTED_DURING

__all__ = ["others_of", "raised_at", "suite_waits_at", "waits_at"]

_SHOWN: Final = 10
"""Maximum number of tasks to show."""
_OWN: Final = str(Path(__file__).parent)
_LOOPRIG: Final = str(Path(__file__).parent.parent) + os.sep


def waits_at(task: "asyncio.Task[Any]") -> list[str]:
    """Return the stack of a task: `path:line in function` for each coroutine, the innermost last."""
    return [line for _, line in _frames(task)]


def suite_waits_at(task: "asyncio.Task[Any]") -> list[str]:
    """Return those lines of a task's stack that are in the suite's own code."""
    return [line for path, line in _frames(task) if _is_of_suite(path)]


def raised_at(error: BaseException) -> list[str]:
    """Return the last line of the suite's own code in an error's traceback, if there is one."""
    found: list[str] = []
    entry = error.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        if _is_of_suite(code.co_filename):
            found = [_line(code, entry.tb_lineno)]
        entry = entry.tb_next
    return found


def others_of(loop: asyncio.AbstractEventLoop, target: "asyncio.Task[Any]") -> list[str]:
    """Return the stacks of the other tasks of a loop, those in the suite's own code first.

    Each stack has the lines in the suite's own code or, if there are none, only the innermost line. Fixtures that wait
    at their `yield` are left out. Tasks that handle a request of a test that has ended come last, and are marked as
    such.
    """
    own: list[str] = []
    foreign: list[str] = []
    earlier: list[str] = []
    for task in asyncio.all_tasks(loop):
        frames = [*_frames(task)]
        if task is target or all(path.startswith(_OWN) for path, _ in frames):
            continue
        lines = [line for path, line in frames if _is_of_suite(path)]
        name, group = task.get_name(), own if lines else foreign
        during = STARTED_DURING.get(task)
        if during is not None and during.is_over:
            name, group = f"{name}, left over from {during.name},", earlier
        group.append("\n".join((f"{name} waits at", *(lines or (frames[-1][1],)))))
    found = [*own, *foreign, *earlier]
    return found if len(found) <= _SHOWN else [*found[:_SHOWN], f"and {len(found) - _SHOWN} more"]


def _frames(task: "asyncio.Task[Any]") -> Iterator[tuple[str, str]]:
    """Yield path and text of each line in a task's stack, the outermost first.

    `Task.get_stack` returns only the outermost one.
    """
    waits: Any = task.get_coro()
    while waits is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(waits, f"{kind}_frame", None)
            if frame is not None:
                yield frame.f_code.co_filename, _line(frame.f_code, frame.f_lineno)
                waits = getattr(waits, f"{kind}_await" if kind != "gi" else "gi_yieldfrom")
                break
        else:
            # A step of an async generator has no attribute for its generator, but the garbage collector knows it.
            waits = next((other for other in gc.get_referents(waits) if isasyncgen(other)), None)


def _is_of_suite(path: str) -> bool:
    return not (path.startswith(_LOOPRIG) or is_foreign(path))


def _line(code: CodeType, line: int) -> str:
    return f"  {Location(code.co_filename, line)} in {code.co_name}"
