"""What tests run by hand: a service, as its owner does, in one task; and a scenario, on each kind of loop."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

import pytest

from tests.limits import run_on

__all__ = ["Run", "run", "running"]

Run = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a scenario on a loop of its own, to its end."""


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """For a conftest to hand on."""
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
