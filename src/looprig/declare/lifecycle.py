"""The three lifecycles that a service can have: Protocols for type checkers, and an enum for the runtime.

Does not run anything (`looprig.services.lifecycle` does).
"""

import inspect
from collections.abc import AsyncIterator
from enum import Enum
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

from looprig.declare.annotations import annotations_of
from looprig.exceptions import DeclarationError
from looprig.location import location_of

__all__ = [
    "EntersItself",
    "HasStartAndStopOrRunOrAenter",
    "Lifecycle",
    "Runs",
    "StartsAndStops",
    "has_lifecycle",
    "lifecycle_of",
]


class StartsAndStops(Protocol):
    """A service with a `start` that returns when it is ready, and a `stop` that returns when it has ended."""

    async def start(self) -> Any:
        """Start the service, and return when it is ready."""

    async def stop(self) -> Any:
        """Stop the service, and return when it has ended."""


class Runs(Protocol):
    """A service whose `run` is an async generator. It yields once, when the service is ready, and then stops it."""

    def run(self) -> AsyncIterator[Any]:
        """Start the service, yield once when it is ready, and stop it."""
        ...


class EntersItself(Protocol):
    """A service that is an async context manager and returns itself on entry."""

    async def __aenter__(self) -> Self:
        """Start the service, and return it when it is ready."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None:
        """Stop the service, and return when it has ended."""


HasStartAndStopOrRunOrAenter = TypeVar("HasStartAndStopOrRunOrAenter", bound=StartsAndStops | Runs | EntersItself)
"""A class with a lifecycle. mypy's error for other classes shows only this name, so the name says what is missing."""


class Lifecycle(Enum):
    """The lifecycle of a service class, named by the methods that make it."""

    RUNS = "run"
    STARTS_AND_STOPS = "start and stop"
    ENTERS_ITSELF = "__aenter__ and __aexit__"


def lifecycle_of(cls: type) -> Lifecycle:
    """Return the lifecycle of a class.

    Where a class has several, an async generator `run` wins over `start` and `stop`, and those over `__aenter__`.

    Raises:
        DeclarationError: the class has no lifecycle.
    """
    __tracebackhide__ = True
    if _is_generator_method(getattr(cls, "run", None)):
        return Lifecycle.RUNS
    if _awaitable(cls, "start", "stop"):
        return Lifecycle.STARTS_AND_STOPS
    if _awaitable(cls, "__aenter__", "__aexit__"):
        return Lifecycle.ENTERS_ITSELF
    raise DeclarationError(
        f"{cls.__qualname__} has no lifecycle, so it cannot be started and stopped.{_hint(cls)}",
        [(cls.__qualname__, location_of(cls))],
        "Give it `async def start(self)` and `async def stop(self)`; or an async generator `run` that yields once; or "
        "`__aenter__` and `__aexit__`.",
    )


def has_lifecycle(cls: type) -> bool:
    """Return whether a class has a lifecycle, so that it could be declared as a service."""
    try:
        lifecycle_of(cls)
    except DeclarationError:
        return False
    return True


def _is_generator_method(run: object) -> bool:
    """Return whether `run` is an async generator function, or a function annotated to return an async iterator."""
    if not callable(run) or _is_context_manager(run):
        return False
    function = inspect.unwrap(run)
    return inspect.isasyncgenfunction(function) or (
        not inspect.iscoroutinefunction(function) and "Async" in _return_annotation(function)
    )


def _is_context_manager(function: object) -> bool:
    """Return whether a function was decorated with `asynccontextmanager`, so that its result is not an iterator."""
    return getattr(function, "__globals__", {}).get("__name__") == "contextlib"


def _awaitable(cls: type, *names: str) -> bool:
    return all(_is_awaitable(getattr(cls, name, None)) for name in names)


def _is_awaitable(function: object) -> bool:
    """Return whether calling it returns an awaitable. Assume so for anything but a plain function, such as a mock."""
    if not callable(function):
        return False
    function = inspect.unwrap(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return False
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        return True
    return any(word in _return_annotation(function) for word in ("Awaitable", "Coroutine", "Future", "Task"))


def _return_annotation(function: object) -> str:
    annotation = annotations_of(function).get("return", "")
    return annotation if isinstance(annotation, str) else repr(annotation)


def _hint(cls: type) -> str:
    """Return a sentence about the part of a lifecycle that the class has, or an empty string."""
    there = {name for name in _NEAR if callable(getattr(cls, name, None))}
    if "run" in there:
        return _hint_for_run(cls.run)  # type: ignore[attr-defined]
    for first, second in (("start", "stop"), ("__aenter__", "__aexit__")):
        if first in there and second in there:
            plain = " and ".join(name for name in (first, second) if not _is_awaitable(getattr(cls, name)))
            return f" Its {plain} cannot be awaited: write `async def`."
        if first in there or second in there:
            has, lacks = (first, second) if first in there else (second, first)
            return f" It has {has} but no {lacks}."
    if "__enter__" in there:
        return " Its context manager is not async: write `async def __aenter__` and `async def __aexit__`."
    return ""


def _hint_for_run(run: object) -> str:
    if _is_context_manager(run):
        return " Its run is an asynccontextmanager: remove that decorator, the bare generator is enough."
    if inspect.iscoroutinefunction(run):
        return " Its run is a coroutine function: add a `yield` where the service is ready."
    return " Its run is not async: make it an `async def` with a `yield` where the service is ready."


_NEAR: Final = ("run", "start", "stop", "__aenter__", "__aexit__", "__enter__")
