"""The stacks of tasks: their chains of awaits, for reports about tasks that take too long or do not end.

Does not decide which tasks are stuck, or what they wait for (`waits` does).
"""

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Iterator
from inspect import isasyncgen
from itertools import dropwhile
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, final

from looprig.location import Location, is_foreign

__all__ = [
    "Frame",
    "frames_of",
    "is_of_suite",
    "is_own",
    "other_threads",
    "raised_at",
    "raised_in",
    "suite_waits_at",
    "thread_frames",
    "thread_is_at",
    "waits_at",
    "without_asyncio",
]

_OWN: Final = str(Path(__file__).parent)
_LOOPRIG: Final = str(Path(__file__).parent.parent) + os.sep


@final
class Frame:
    """A frame in a chain of awaits, and the coroutine or generator that it belongs to."""

    __slots__ = ("_frame", "awaitable")

    def __init__(self, frame: FrameType, awaitable: object) -> None:
        self._frame = frame
        self.awaitable: Final = awaitable

    @property
    def module(self) -> str:
        """The name of its module."""
        return str(self._frame.f_globals.get("__name__"))

    @property
    def name(self) -> str:
        """The qualified name of its function."""
        return self._frame.f_code.co_qualname

    @property
    def path(self) -> str:
        """The path of its source file."""
        return self._frame.f_code.co_filename

    @property
    def at(self) -> Location:
        """The line at which it waits."""
        return Location(self.path, self._frame.f_lineno)

    @property
    def text(self) -> str:
        """The line at which it waits, as `path:line in function`."""
        return _line(self._frame.f_code, self._frame.f_lineno)

    @property
    def values(self) -> dict[str, Any]:
        """Its local variables."""
        return self._frame.f_locals


def waits_at(task: "asyncio.Task[Any]") -> list[str]:
    """Return the stack of a task: `path:line in function` for each coroutine, the innermost last."""
    return [frame.text for frame in frames_of(task)]


def suite_waits_at(task: "asyncio.Task[Any]") -> list[str]:
    """Return those lines of a task's stack that are in the suite's own code."""
    return [frame.text for frame in frames_of(task) if is_of_suite(frame.path)]


def raised_at(error: BaseException) -> list[str]:
    """Return the lines of the suite's own code in an error's traceback, the innermost last."""
    return [f"  {at} in {name}" for name, at in raised_in(error)]


def raised_in(error: BaseException) -> list[tuple[str, Location]]:
    """Return the suite's own functions in an error's traceback, each with its line, the innermost last."""
    found: list[tuple[str, Location]] = []
    entry = error.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        if is_of_suite(code.co_filename):
            found.append((code.co_name, Location(code.co_filename, entry.tb_lineno)))
        entry = entry.tb_next
    return found


def without_asyncio(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback that ends at the line that called asyncio, whose own source explains nothing."""
    entries: list[TracebackType] = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    kept = [*dropwhile(_is_in_asyncio, reversed(entries))]
    if all(entry.tb_frame.f_code.co_filename.startswith(_LOOPRIG) for entry in kept):  # reports hide looprig's own
        kept = entries[::-1]
    copy: TracebackType | None = None
    for entry in kept:
        copy = TracebackType(copy, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return copy


def _is_in_asyncio(entry: TracebackType) -> bool:
    return str(entry.tb_frame.f_globals.get("__name__")).partition(".")[0] == "asyncio"


def thread_frames() -> dict[int, FrameType]:
    """Return the innermost frame of each thread that runs Python code, by the thread's identifier."""
    return sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - documented, in spite of its name


def other_threads() -> list[str]:
    """Return the stacks of all threads but this one and looprig's: the suite's own lines, or the innermost one."""
    frames = thread_frames()
    found: list[str] = []
    for thread in threading.enumerate():
        frame = None if thread is threading.current_thread() else frames.get(thread.ident or 0)
        if frame is not None:
            found.append("\n".join((f"{thread.name} at", *thread_is_at(frame))))
    return found


def thread_is_at(frame: FrameType | None) -> list[str]:
    """Return the stack of a thread, given its innermost frame: the suite's own lines, or else the innermost one."""
    lines: list[str] = []
    innermost = [] if frame is None else [_line(frame.f_code, frame.f_lineno)]
    while frame is not None:
        if is_of_suite(frame.f_code.co_filename):
            lines.insert(0, _line(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return lines or innermost


def frames_of(task: "asyncio.Task[Any]") -> Iterator[Frame]:
    """Yield each frame in a task's chain of awaits, the outermost first. `Task.get_stack` returns only that one."""
    waits: Any = task.get_coro()
    while waits is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(waits, f"{kind}_frame", None)
            if frame is not None:
                yield Frame(frame, waits)
                waits = getattr(waits, f"{kind}_await" if kind != "gi" else "gi_yieldfrom")
                break
        else:
            # A step of an async generator has no attribute for its generator, but the garbage collector knows it.
            waits = next((other for other in gc.get_referents(waits) if isasyncgen(other)), None)


def is_own(path: str) -> bool:
    """Return whether a file is part of looprig's runtime."""
    return path.startswith(_OWN)


def is_of_suite(path: str) -> bool:
    """Return whether a file belongs to the suite, not to looprig, the standard library or an installed package."""
    return not (path.startswith((_LOOPRIG, "<")) or is_foreign(path))  # "<string>" and the like are no files


def _line(code: CodeType, line: int) -> str:
    return f"  {Location(code.co_filename, line)} in {code.co_name}"
