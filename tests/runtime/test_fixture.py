"""One async fixture by hand: its one task, its context, and every way in which it can end."""

import asyncio
import contextvars
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from looprig.exceptions import FixtureCrashedError, FixtureError
from looprig.location import location_of
from looprig.runtime.context import context_with
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.host import Host

var: contextvars.ContextVar[str] = contextvars.ContextVar("var")


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host.open()
    yield host
    host.close()


def set_up(host: Host, function: Callable[..., Any], **kwargs: Any) -> tuple[LiveFixture, Any]:
    live = LiveFixture(host, function.__name__, location_of(function), frozenset())
    live.begin(function, kwargs, context_with(contextvars.copy_context(), (), live))
    return live, live.wait()


def test_it_lives_in_one_task_and_knows_what_it_changed(host: Host) -> None:
    tasks: list[object] = []

    async def fixture(given: int) -> AsyncIterator[int]:
        tasks.append(asyncio.current_task())
        token = var.set("set")
        async with asyncio.timeout(3600):
            yield given + 1
        var.reset(token)
        tasks.append(asyncio.current_task())

    live, value = set_up(host, fixture, given=1)
    assert value == 2
    assert dict(live.changes) == {var: "set"}
    live.tear_down()
    first, last = tasks
    assert first is last


def test_one_without_a_yield_gives_its_value_and_what_it_changed(host: Host) -> None:
    async def fixture() -> str:
        var.set("set")
        return "value"

    live, value = set_up(host, fixture)
    assert value == "value"
    assert dict(live.changes) == {var: "set"}
    live.tear_down()


@pytest.mark.parametrize(("yields", "told"), [(0, "ended without a yield"), (2, "yielded twice")])
def test_it_yields_once(host: Host, yields: int, told: str) -> None:
    async def fixture() -> AsyncIterator[None]:
        for _ in range(yields):
            yield

    def live_through() -> None:
        set_up(host, fixture)[0].tear_down()

    with pytest.raises(FixtureError, match=f"Fixture fixture {told}") as caught:
        live_through()
    assert caught.value.parties == (("fixture", location_of(fixture)),)


def test_a_crash_ends_what_runs_on_it_and_is_told_once(host: Host) -> None:
    async def crash() -> None:
        raise LookupError("the root cause")

    async def fixture() -> AsyncIterator["asyncio.TaskGroup"]:
        async with asyncio.TaskGroup() as group:
            yield group

    live, group = set_up(host, fixture)
    crashes: list[FixtureCrashedError] = []
    live.on_crash = crashes.append

    async def test() -> None:
        group.create_task(crash())
        await asyncio.sleep(3600)

    with pytest.raises(FixtureCrashedError, match="LookupError: the root cause") as caught:
        host.run(test(), what="a test", needs=frozenset([live]))
    assert crashes == [caught.value]
    assert isinstance(caught.value.__cause__, LookupError)
    live.tear_down()  # doesn't report it a second time


def test_a_crash_that_nobody_met_is_told_at_teardown(host: Host) -> None:
    async def fixture() -> AsyncIterator["asyncio.Task[Any] | None"]:
        yield asyncio.current_task()
        raise AssertionError("it never comes here")

    live, task = set_up(host, fixture)
    task.cancel()
    host.run(asyncio.sleep(0.001), what="a test of something else")
    with pytest.raises(FixtureCrashedError, match="cancelled from outside"):
        live.tear_down()


def test_nothing_of_it_is_left_for_the_garbage_collector(host: Host) -> None:
    """Cycles would be collected during other tests, which would become slower."""

    async def fixture() -> AsyncIterator[int]:
        yield 1

    gc.collect()
    gc.disable()
    try:
        live, _ = set_up(host, fixture)
        live.on_crash = partial(print, live)  # like the plugin's, it refers to the fixture
        gone = weakref.ref(live)
        live.tear_down()
        del live
        assert gone() is None
    finally:
        gc.enable()
