"""Exceptions that happen beside a test, where nothing handles them, and coroutines that nothing awaits.

They come from the exception handlers of loops, from `sys.unraisablehook` (`__del__`, callbacks of weak references) and
as the RuntimeWarning for a coroutine that was never awaited, which names the line that called the coroutine function.
Does not decide what becomes of a finding.

Invariants:
1. Whatever is found is passed on to the handler that was there before if no test is watched.
2. A loop that already has an exception handler keeps it.
3. What the garbage collector comes upon by itself may be of any test, so it is a late finding.
"""

import asyncio
import gc
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any, Final, TextIO, final

from looprig.exceptions import BackgroundError, summary
from looprig.location import UNKNOWN, Location, location_of
from looprig.runtime.context import OWNER
from looprig.runtime.ending import is_closing
from looprig.runtime.tasks import Party, RunningTest, is_over, owner_of, party_of
from looprig.watch.finding import Finding
from looprig.watch.garbage import Garbage

__all__ = ["Background"]

_NEVER_AWAITED: Final = re.compile(r"coroutine '(?P<name>.+)' was never awaited")
_CREATED_AT: Final = re.compile(r'^  File "(?P<path>.+)", line (?P<line>\d+), in ', re.MULTILINE)
_AWAIT: Final = "Await the task, or handle the exception in it."
_HANDLE: Final = "Handle the exception where it is raised."
_ALLOW: Final = "If it is expected, allow it: @looprig.allow_background."

Note = Callable[[Finding], bool]
"""Takes a finding. Returns whether a test is watched now, and the finding is dealt with."""


@final
class Background:
    """The watchdog of background failures. It watches from `start` until `stop`."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._garbage = Garbage(of_finalizers=False)
        self._collections = 0
        self._depth = 0
        self._unraisable: Callable[[Any], Any] | None = None
        # Each access to a bound method creates a new one, but these are compared.
        self._own_hook: Final = self._handle_unraisable
        self._own_show: Final = self._handle_warning
        self._show: Any = None

    # What it watches

    def start(self) -> None:
        """Watch for exceptions that Python itself ignores, and for coroutines that are never awaited."""
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._own_hook
        self._depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(max(self._depth, 1))
        gc.callbacks.append(self._count_collections)
        self._garbage.begin()

    def stop(self) -> None:
        """Give back all hooks, unless somebody else has replaced them since."""
        if self._unraisable is None:
            return
        if sys.unraisablehook is self._own_hook:
            sys.unraisablehook = self._unraisable
        self._unraisable = None
        if warnings.showwarning is self._own_show:
            warnings.showwarning = self._show
        sys.set_coroutine_origin_tracking_depth(self._depth)
        gc.callbacks.remove(self._count_collections)
        self._garbage.close()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a loop that has just been opened."""
        if loop.get_exception_handler() is None:
            loop.set_exception_handler(self._handle)

    def begin_test(self) -> None:
        """Begin a test: pytest has replaced how warnings are shown."""
        if warnings.showwarning is not self._own_show:
            self._show, warnings.showwarning = warnings.showwarning, self._own_show

    def collect(self, loop: asyncio.AbstractEventLoop) -> None:
        """Find what hides in reference cycles. Call it at the end of a test that started tasks on `loop`."""
        self._collections -= 1  # this one is no surprise
        try:
            self._garbage.collect([loop])
        finally:
            self._collections += 1

    def _count_collections(self, phase: str, _info: dict[str, int]) -> None:
        self._collections += 1 if phase == "start" else -1

    @property
    def _is_late(self) -> bool:
        return self._collections > 0

    # What it finds

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        exception: BaseException | None = context.get("exception")
        future: Any = context.get("task") or context.get("future")
        task: asyncio.Task[Any] | None = future if isinstance(future, asyncio.Task) else None  # pyright: ignore[reportUnknownVariableType] # of whatever
        owner = None if task is None else owner_of(task)
        what, fix = _about(context, task, exception)
        is_late = is_over(owner) if owner is not None else self._is_late
        self._found(what, [*_code_of(context, task), *_named(owner)], fix, exception, is_late=is_late)
        loop.default_exception_handler(context)  # logs it, as without this handler

    def _handle_unraisable(self, unraisable: Any) -> None:
        exception, place = unraisable.exc_value, unraisable.object
        hook = self._unraisable
        if isinstance(exception, RuntimeWarning) and self._is_never_awaited(exception):  # warnings are errors
            return
        if isinstance(exception, Exception):
            where = getattr(place, "__qualname__", None) or f"{type(place).__name__} object"
            what = f"{unraisable.err_msg or 'Exception ignored in'} {where}: {summary(exception)}."
            at = location_of(place)
            named = [] if at == UNKNOWN else [(where, at)]
            if self._found(what, [*named, *_named(OWNER.get(None))], _HANDLE, exception, is_late=self._is_late):
                return
        if hook is not None:
            hook(unraisable)

    def _handle_warning(  # noqa: PLR0917 - the signature of `warnings.showwarning`
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if isinstance(message, RuntimeWarning) and self._is_never_awaited(message):
            return
        if self._show is not None:
            self._show(message, category, filename, lineno, file, line)

    def _is_never_awaited(self, warning: RuntimeWarning) -> bool:
        """Return whether a warning is about a coroutine that was never awaited, and is dealt with."""
        message = str(warning)
        found = _NEVER_AWAITED.search(message)
        return found is not None and self._found(
            f"The coroutine {found['name']} was never awaited.",
            [*_created(found["name"], message), *_named(OWNER.get(None))],
            "Await it where it is called.",
            warning,
            is_late=self._is_late,
        )

    def _found(
        self,
        what: str,
        parties: list[Party],
        fix: str,
        exception: BaseException | None,
        *,
        is_late: bool,
    ) -> bool:
        error = BackgroundError(what, list(dict.fromkeys(parties)), f"{fix} {_ALLOW}")
        if not isinstance(exception, Warning):
            error.__cause__ = exception
        return self._note(Finding("background", error, exception, is_late))


def _about(
    context: dict[str, Any], task: "asyncio.Task[Any] | None", exception: BaseException | None
) -> tuple[str, str]:
    """Return what happened, in words, and how to fix it."""
    message: str = context.get("message") or "Unhandled exception in the event loop"
    text = "" if exception is None else f": {summary(exception)}"
    if task is not None and is_closing(task):
        return f"An async generator failed while it was closed{text}.", "Handle the exception in the generator."
    if "never retrieved" in message:
        kind = "A future" if task is None else "A task"
        return f"{kind} failed, and nothing retrieved its exception{text}.", _AWAIT
    if "was destroyed but it is pending" in message:
        return "A task was destroyed while it was still waiting.", "Keep a reference to the task, and await it."
    message = message.removesuffix(".").removesuffix("!")
    return f"{message[:1].upper()}{message[1:]}{text}.", _AWAIT if task is not None else _HANDLE


def _code_of(context: dict[str, Any], task: "asyncio.Task[Any] | None") -> list[Party]:
    """Return the name and place of the code that failed, as far as they can be known."""
    code: Any = getattr(context.get("handle"), "_callback", None) if task is None else task.get_coro()
    at = location_of(code)
    return [] if at == UNKNOWN else [(getattr(code, "__qualname__", "a callback"), at)]


def _created(name: str, message: str) -> list[Party]:
    places = _CREATED_AT.findall(message)
    return [(f"{name} was called here", Location(path, int(line))) for path, line in places[-1:]]


def _named(owner: object) -> list[Party]:
    party = party_of(owner)
    if party is None:
        return []
    return [
        (f"{party[0]}, which has ended" if isinstance(owner, RunningTest) and owner.is_over else party[0], party[1])
    ]
