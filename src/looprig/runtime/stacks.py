"""Where tasks stand: the chain of awaits of each, for the reports of limits and of tasks that do not end.

Does not judge what is stuck.
"""

import asyncio
import gc
from collections.abc import Iterator
from inspect import isasyncgen
from pathlib import Path
from typing import Any, Final

from looprig.location import Location, is_foreign

__all__ = ["others_of", "waits_at"]

_SHOWN: Final = 10
"""How many tasks are shown of a loop that has more."""
_OWN: Final = str(Path(__file__).parent)


def waits_at(task: "asyncio.Task[Any]") -> list[str]:
    """Return where a task waits: `path:line in function` for each coroutine down to what it awaits."""
    return [line for _, line in _frames(task)]


def others_of(loop: asyncio.AbstractEventLoop, target: "asyncio.Task[Any]") -> list[str]:
    """Return where the other tasks of a loop stand, those in the suite's own code first.

    Of each task the suite's own lines are shown if there are any, and else the innermost line. Fixtures that are
    parked at their `yield` are left out.
    """
    own: list[str] = []
    foreign: list[str] = []
    for task in asyncio.all_tasks(loop):
        frames = [*_frames(task)]
        if task is target or all(path.startswith(_OWN) for path, _ in frames):
            continue
        lines = [line for path, line in frames if not (path.startswith(_OWN) or is_foreign(path))]
        text = "\n".join((f"{task.get_name()} stands at", *(lines or (frames[-1][1],))))
        (own if lines else foreign).append(text)
    found = [*own, *foreign]
    return found if len(found) <= _SHOWN else [*found[:_SHOWN], f"and {len(found) - _SHOWN} more"]


def _frames(task: "asyncio.Task[Any]") -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each line that a task stands at, the outermost first.

    A task itself tells only of the outermost one.
    """
    waits: Any = task.get_coro()
    while waits is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(waits, f"{kind}_frame", None)
            if frame is not None:
                path = frame.f_code.co_filename
                yield path, f"  {Location(path, frame.f_lineno)} in {frame.f_code.co_name}"
                waits = getattr(waits, f"{kind}_await" if kind != "gi" else "gi_yieldfrom")
                break
        else:
            # A step of an async generator has no name for its generator; the garbage collector knows it.
            waits = next((other for other in gc.get_referents(waits) if isasyncgen(other)), None)
