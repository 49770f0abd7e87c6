"""A network test that hangs fails and shows where it hung: `tests.limits`, and the tests that use it."""

import asyncio
import importlib
import re
from typing import Any

import pytest

from tests.limits import LIMIT, limit_of, limited, no_hang, run_on


@pytest.fixture(params=["asyncio", "uvloop"])
def factory(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param).new_event_loop


def test_a_scenario_that_waits_is_ended_with_where_each_task_waits(factory: Any) -> None:
    async def serve_forever() -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(serve_forever(), name="the other")
        await asyncio.Event().wait()
        task.cancel()

    with limited(0.05), pytest.raises(pytest.fail.Exception, match="The scenario took too long") as caught:
        run_on(factory, scenario())
    assert re.search(r"the other waits at\n  \S+test_limits\.py:\d+ in serve_forever", str(caught.value))
    assert any(entry.name == "scenario" for entry in caught.traceback), "the traceback ends where it waited"


def test_one_that_never_lets_its_loop_go_is_broken_off(factory: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The loop may mistake the error for one of a callback, and then notices that the scenario was cancelled."""

    def spins() -> None:
        while True:
            pass

    async def scenario() -> None:
        asyncio.get_running_loop().call_soon(spins)
        await asyncio.Event().wait()

    with limited(0.05, grace=0.5), pytest.raises(pytest.fail.Exception):
        run_on(factory, scenario())
    assert "in spins" in capsys.readouterr().err


def test_so_is_one_that_has_no_loop() -> None:
    def spins() -> None:
        while True:
            pass

    with limited(0.05), pytest.raises(pytest.fail.Exception, match=r"took longer than 0\.05 s"):
        spins()


def test_an_error_in_time_is_raised_as_it_is(factory: Any) -> None:
    async def scenario() -> None:
        raise LookupError

    with limited(30), pytest.raises(LookupError):
        run_on(factory, scenario())


@pytest.mark.parametrize("folder", ["proxy", "services", "udp"])
def test_each_test_of_the_network_has_it(folder: str) -> None:
    assert importlib.import_module(f"tests.{folder}.conftest").no_hang is no_hang


@pytest.mark.loop_timeout(5)
def test_a_marker_gives_another_limit(request: pytest.FixtureRequest) -> None:
    assert limit_of(request.node) == 5


def test_without_it_there_is_one_for_all(request: pytest.FixtureRequest) -> None:
    assert limit_of(request.node) == LIMIT
