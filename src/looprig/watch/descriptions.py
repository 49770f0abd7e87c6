"""Descriptions of findings: what failed in the background, where, which test or fixture started it, and how to fix it.

Does not find anything (`background` does).
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from looprig.exceptions import BackgroundError, LooprigError, summary
from looprig.location import UNKNOWN, Location, location_of
from looprig.runtime.context import OWNER
from looprig.runtime.ending import is_closing
from looprig.runtime.tasks import Party, RunningTest, is_over, owner_of, party_of

if TYPE_CHECKING:
    from looprig.declare.watchdogs import Kind

__all__ = ["Finding", "of_context", "of_unraisable", "of_warning"]

_COROUTINE: Final = 0x80  # CO_COROUTINE of inspect, which nothing else here needs
# Patterns are compiled when they are needed, since hardly any run does.
_NEVER_AWAITED: Final = r"coroutine '(?P<name>.+)' was never awaited"
_CREATED_AT: Final = r'(?m)^  File "(?P<path>.+)", line (?P<line>\d+), in '
_AWAIT: Final = "Await the task, or handle the exception in it."
_HANDLE: Final = "Handle the exception where it is raised."
_CLOSE: Final = "Close what is named here before its test or fixture ends."
_ALLOW: Final = "If it is expected, allow it: @looprig.allow_background."


@final
class Finding(NamedTuple):
    """A finding of one kind. `error` is what a test fails with.

    Attributes:
        cause: the exception that was found, if there is one.
        is_late: whether an earlier test may have caused it, so that no test may fail for it.
    """

    kind: Kind
    error: LooprigError
    cause: BaseException | None = None
    is_late: bool = False


def of_context(context: dict[str, Any], *, is_late: bool) -> Finding:
    """Return the finding for a context that was passed to a loop's exception handler."""
    exception: BaseException | None = context.get("exception")
    future: Any = context.get("task") or context.get("future")
    task: asyncio.Task[Any] | None = future if isinstance(future, asyncio.Task) else None  # pyright: ignore[reportUnknownVariableType] # of whatever
    owner = None if task is None else owner_of(task)
    what, fix = _about(context, task, exception)
    is_of_running_test = isinstance(owner, RunningTest) and not owner.is_over
    is_late = not is_of_running_test and (is_late or is_over(owner))
    return _finding(what, [*_code_of(context, task), *_named(owner)], fix, exception, is_late=is_late)


def of_unraisable(unraisable: Any, *, is_late: bool) -> Finding:
    """Return the finding for an exception that Python could not raise, given the argument of `sys.unraisablehook`."""
    exception: Exception = unraisable.exc_value
    # If warnings are errors, the warning that a coroutine was never awaited is raised, and so arrives here.
    if isinstance(exception, RuntimeWarning) and (found := of_warning(exception, is_late=is_late)) is not None:
        return found
    name, at = _place_of(exception, unraisable.object)
    what = f"An exception in {name} was ignored, since nothing can handle it: {summary(exception)}."
    named = [] if at == UNKNOWN else [(name, at)]
    return _finding(what, [*named, *_named(OWNER.get(None))], _HANDLE, exception, is_late=is_late)


def _place_of(exception: Exception, called: object) -> Party:
    """Return the name and place of the function that raised, or of `called`, if only that is known."""
    if exception.__traceback__ is not None:  # in newer Pythons, nothing else names the function
        code = exception.__traceback__.tb_frame.f_code
        return code.co_qualname, Location(code.co_filename, code.co_firstlineno)
    return getattr(called, "__qualname__", None) or f"an object of type {type(called).__name__}", location_of(called)


def of_warning(warning: RuntimeWarning, *, is_late: bool) -> Finding | None:
    """Return the finding for the warning that a coroutine was never awaited, or `None` for another warning."""
    message = str(warning)
    found = re.search(_NEVER_AWAITED, message)
    if found is None:
        return None
    name = found["name"]
    created = [
        (f"{name} was called here", Location(path, int(line))) for path, line in re.findall(_CREATED_AT, message)
    ]
    return _finding(
        f"The coroutine {name} was never awaited.",
        [*created[-1:], *_named(OWNER.get(None))],
        _how_to_await(OWNER.get(None)),
        warning,
        is_late=is_late,
    )


def _how_to_await(owner: object) -> str:
    function: Any = getattr(owner, "function", None)
    code: Any = getattr(function, "__code__", None)
    if not isinstance(owner, RunningTest) or code is None or code.co_flags & _COROUTINE:
        return "Await it where it is called."
    return (
        f"{owner.name} isn't async, so it can't await it: write `async def`. A method of a service with in_thread=True "
        "can be called by `looprig.call_service(...)`."
    )


def _finding(what: str, parties: list[Party], fix: str, exception: BaseException | None, *, is_late: bool) -> Finding:
    error = BackgroundError(what, list(dict.fromkeys(parties)), f"{fix} {_ALLOW}")
    if not isinstance(exception, Warning):
        error.__cause__ = exception
    return Finding("background", error, exception, is_late)


def _about(context: dict[str, Any], task: asyncio.Task[Any] | None, exception: BaseException | None) -> tuple[str, str]:
    """Return a sentence that says what happened, and one that says how to fix it."""
    message: str = context.get("message") or "Unhandled exception in the event loop"
    text = "" if exception is None else f": {summary(exception)}"
    if task is not None and is_closing(task):
        return f"An async generator failed while it was closed{text}.", "Handle the exception in the generator."
    if "never retrieved" in message:
        kind, fix = ("A future", "Await it, or retrieve its exception.") if task is None else ("A task", _AWAIT)
        return f"{kind} failed, and nothing retrieved its exception{text}.", fix
    if "was destroyed but it is pending" in message:
        return "A task was destroyed while it was still waiting.", "Keep a reference to the task, and await it."
    message = message.removesuffix(".").removesuffix("!")
    fix = _AWAIT if task is not None else _CLOSE if exception is None else _HANDLE
    return f"{message[:1].upper()}{message[1:]}{text}.", fix


def _code_of(context: dict[str, Any], task: asyncio.Task[Any] | None) -> list[Party]:
    """Return the name and place of the code that failed, or nothing if they are unknown."""
    code: Any = getattr(context.get("handle"), "_callback", None) if task is None else task.get_coro()
    at = location_of(code)
    return [] if at == UNKNOWN else [(getattr(code, "__qualname__", "a callback"), at)]


def _named(owner: object) -> list[Party]:
    party = party_of(owner)
    if party is None:
        return []
    name, at = party
    return [(f"{name}, which has ended" if is_over(owner) else name, at)]
