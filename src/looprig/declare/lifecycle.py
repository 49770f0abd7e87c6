"""The three lifecycles that a service can have, as Protocols for checkers and as a question for the run.

Does not run anything (`looprig.services.lifecycle` does).
"""

import inspect
from collections.abc import AsyncIterator
from enum import Enum
from types import TracebackType
from typing import Any, Protocol, Self

from looprig.exceptions import DeclarationError
from looprig.location import location_of

__all__ = ["EntersItself", "Lifecycle", "Runs", "StartsAndStops", "lifecycle_of"]


class StartsAndStops(Protocol):
    """A service with a `start` that returns when it is ready, and a `stop` that returns when it has ended."""

    async def start(self) -> Any:
        """Returns when the service is ready."""

    async def stop(self) -> Any:
        """Returns when the service has ended."""


class Runs(Protocol):
    """A service that is an async generator: it yields once, when it is ready, and then ends."""

    def run(self) -> AsyncIterator[Any]:
        """Yields once."""
        ...


class EntersItself(Protocol):
    """A service that is an async context manager and gives itself."""

    async def __aenter__(self) -> Self:
        """Returns itself when it is ready."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None:
        """Returns when the service has ended."""
        ...


class Lifecycle(Enum):
    """Which of the three a class has."""

    RUNS = "run"
    STARTS_AND_STOPS = "start and stop"
    ENTERS_ITSELF = "__aenter__ and __aexit__"


def lifecycle_of(cls: type) -> Lifecycle:
    """The lifecycle of a class: an async generator `run` goes before `start` and `stop`, and that before the rest.

    Raises:
        DeclarationError: it has none.
    """
    run = getattr(cls, "run", None)
    if inspect.isasyncgenfunction(run):
        return Lifecycle.RUNS
    if all(callable(getattr(cls, name, None)) for name in ("start", "stop")):
        return Lifecycle.STARTS_AND_STOPS
    if all(callable(getattr(cls, name, None)) for name in ("__aenter__", "__aexit__")):
        return Lifecycle.ENTERS_ITSELF
    hint = ""
    if inspect.iscoroutinefunction(run):
        hint = " Its run is a coroutine function: add a `yield` where the service is ready."
    elif callable(getattr(cls, "start", None)):
        hint = " It has a start but no stop."
    elif callable(getattr(cls, "stop", None)):
        hint = " It has a stop but no start."
    raise DeclarationError(
        f"{cls.__qualname__} has no lifecycle, so it cannot be started and stopped.{hint}",
        [(cls.__qualname__, location_of(cls))],
        "Give it `async def start(self)` and `async def stop(self)`; or an async generator `run` that yields once; or "
        "`__aenter__` and `__aexit__`.",
    )
