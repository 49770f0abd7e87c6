"""Helpers to run things by hand: a service in one task, as its owner does; and a scenario on each kind of loop."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

import pytest

from tests.limits import run_on

__all__ = ["Run", "run", "running"]

Run = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a scenario on its own loop, to its end."""


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return a function that runs a scenario. A conftest re-exports this fixture."""
    factory = pytest.importorskip(request.param).new_event_loop
    return partial(run_on, factory)


class Runs(Protocol):
    def run(self) -> AsyncIterator[None]: ...


RunsT = TypeVar("RunsT", bound=Runs)


@asynccontextmanager
async def running(service: RunsT) -> AsyncGenerator[RunsT, None]:
    life = service.run()
    await anext(life)
    try:
        yield service
    finally:
        async for _ in life:
            raise AssertionError("a service yields once")
