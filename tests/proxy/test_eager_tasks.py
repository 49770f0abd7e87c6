"""Toxics that await on a loop with eager tasks: the result may be there before the task is known.

Only with asyncio's own loop, from Python 3.12 on. uvloop doesn't support this.
"""

import asyncio
import random
import sys
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from looprig.toxics import Await, Effect, Flow, Slice, Toxic, Transform
from tests.limits import run_on
from tests.proxy.peers import echoing, meet

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs asyncio.eager_task_factory")


def run_eagerly(scenario: Coroutine[Any, Any, None]) -> None:
    def make() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - unknown to Python 3.11
        return loop

    run_on(make, scenario)


async def same(chunk: bytes) -> bytes:
    return chunk


async def same_later(chunk: bytes) -> bytes:
    await asyncio.sleep(0)
    return chunk


async def fails(chunk: bytes) -> bytes:
    raise ValueError("at once")


def test_what_is_awaited_passes_in_order() -> None:
    payload = random.Random(5).randbytes(100_000)

    async def scenario() -> None:
        async with echoing(Slice(100), Transform(same), Transform(same_later), Transform(same)) as proxy:
            assert (await meet(proxy.address, payload)).data == payload

    run_eagerly(scenario())


def test_what_raises_at_once_is_told() -> None:
    async def scenario() -> None:
        async with echoing(Transform(fails, direction="upstream")) as proxy:
            assert (await meet(proxy.address, b"hello")).was_reset
            (error,) = proxy.take_errors()
            assert "Transform raised on connection #0: ValueError: at once" in str(error)

    run_eagerly(scenario())


@dataclass(frozen=True, slots=True)
class Greeting(Toxic):
    """A toxic that sends something first, which is available at once."""

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        yield Await(same(b"welcome "))


def test_what_is_awaited_as_the_toxic_is_put_on_comes_first() -> None:
    async def scenario() -> None:
        async with echoing(Greeting(direction="downstream")) as proxy:
            assert (await meet(proxy.address, b"back")).data == b"welcome back"

    run_eagerly(scenario())
