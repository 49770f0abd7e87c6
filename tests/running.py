"""Runs a service in a test without any fixture: as its owner does, in one task, from first to last."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

__all__ = ["running"]


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
