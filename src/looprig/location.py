"""Locations of declarations: the `path:line` that every error message shows.

Takes a location from code objects and frames. Source files are read only for a class before Python 3.13.

Invariant: `str(location)` is `path:line`, relative to the working directory if the file is below that, so that
terminals make it clickable.
"""

import inspect
import linecache
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple, final

__all__ = [
    "UNKNOWN",
    "Location",
    "caller_globals",
    "caller_location",
    "is_foreign",
    "is_of_looprig",
    "location_of",
    "user_location",
]


@final
class Location(NamedTuple):
    """A place in a source file.

    `path` is absolute. `line` counts from 1, and is 0 if the line isn't known.
    """

    path: str
    line: int

    def __str__(self) -> str:
        try:
            shown = os.path.relpath(self.path)
        except ValueError:  # another drive, on Windows
            shown = self.path
        if shown.startswith(os.pardir):
            shown = self.path
        return f"{shown}:{self.line}" if self.line else shown


UNKNOWN: Final = Location("<unknown>", 0)


def location_of(obj: object) -> Location:
    """Return where a function, method, class or coroutine is defined: the line of its first decorator, if any."""
    target = obj
    while isinstance(target, partial):
        target = target.func
    if isinstance(target, Callable):  # type: ignore[arg-type]
        target = inspect.unwrap(target)  # type: ignore[arg-type]
    target = getattr(target, "__func__", target)
    code = getattr(target, "__code__", getattr(target, "cr_code", None))
    if isinstance(code, CodeType):
        return Location(code.co_filename, code.co_firstlineno)
    if isinstance(target, type):
        return _class_location(target)
    return UNKNOWN


def _class_location(cls: type) -> Location:
    first: int | None = cls.__dict__.get("__firstlineno__")  # Python 3.13 and later
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None)
    if path is None:
        return UNKNOWN
    if first is not None:
        return Location(path, first)
    try:
        return Location(path, _line_alone(cls, path) or inspect.getsourcelines(cls)[1])
    except (OSError, TypeError):
        return Location(path, 0)


def _line_alone(cls: type, path: str) -> int | None:
    """Return the first line of a class, if the name is used once in the file and no decorator takes several lines.

    `inspect.getsourcelines` parses the whole file, which takes a fifth of a second for a thousand tests.
    """
    lines = linecache.getlines(path)
    begins = re.compile(rf"class\s+{re.escape(cls.__name__)}\b").match
    found = [number for number, line in enumerate(lines) if begins(line.lstrip())]
    if len(found) != 1:
        return None
    first = found[0]
    while first and lines[first - 1].lstrip().startswith("@"):
        first -= 1
    above = [line for line in lines[:first] if line.strip()][-1:]
    is_alone = not first or not lines[first - 1].strip()
    return first + 1 if is_alone and not (above and above[0].lstrip().startswith("@")) else None


def caller_location(depth: int = 1) -> Location:
    """Return the line that called the current function. Each `depth` above 1 goes up one more frame."""
    frame = _frame(depth + 1)
    return Location(frame.f_code.co_filename, frame.f_lineno) if frame is not None else UNKNOWN


def user_location() -> Location:
    """Return the line outside looprig that led here, skipping generated code such as a dataclass's `__init__`."""
    frame = _frame(1)
    while frame is not None and (_is_inside(frame) or frame.f_code.co_filename == "<string>"):
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno) if frame is not None else UNKNOWN


def _is_inside(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "looprig"


def caller_globals() -> tuple[dict[str, Any], bool]:
    """Return the globals of the code that called our caller, and whether that code is a module's body."""
    frame = _frame(2)
    return ({}, False) if frame is None else (frame.f_globals, frame.f_locals is frame.f_globals)


def _frame(depth: int) -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - the standard library's own way (warnings, logging)
    for _ in range(depth):
        if frame is None:
            break
        frame = frame.f_back
    return frame


def is_foreign(path: str) -> bool:
    """Return whether a file belongs to an installed package or to the standard library."""
    real = os.path.realpath(path)
    return any(real.startswith(f"{folder}{os.sep}") or real == folder for folder in _foreign_folders())


def is_of_looprig(thing: object) -> bool:
    """Return whether a class or function is defined in looprig, whichever module it was imported from."""
    return str(getattr(thing, "__module__", "")).partition(".")[0] == "looprig"


def _foreign_folders() -> frozenset[str]:
    if not _FOLDERS:
        import sysconfig  # noqa: PLC0415 - slow to load, and most runs don't need it

        kinds = ("stdlib", "platstdlib", "purelib", "platlib")
        _FOLDERS.append(frozenset(os.path.realpath(sysconfig.get_path(kind)) for kind in kinds))
    return _FOLDERS[0]


_FOLDERS: Final[list[frozenset[str]]] = []
