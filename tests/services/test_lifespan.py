"""The start of an AsgiService's application: how it is ended, and its errors."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

# Loaded before a service starts, since that may take longer than a limit below.
import uvicorn  # noqa: F401  # pyright: ignore[reportUnusedImport]

from looprig.declare.service import service_fixture
from looprig.exceptions import ServiceStartError
from looprig.http import TestClient
from looprig.services import lifespan
from looprig.services.rig import rig
from tests.running import running
from tests.services.conftest import Run
from tests.services.lifespans import Mode, Service, modes


async def never_starts(_scope: Any, receive: Any, _say: Any) -> None:
    await receive()
    await asyncio.Event().wait()


def test_a_start_is_ended_by_a_time_limit_around_it(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), rig(Service, live=never_starts):
                pass

    run(scenario())


def test_a_start_is_ended_by_its_own_time_limit_which_shows_where_it_stood(run: Run) -> None:
    @service_fixture(start_timeout=0.3)
    @dataclass(kw_only=True)
    class Slow(Service): ...

    async def scenario() -> None:
        told = r"was not ready within 0\.3 s\.\n(?s:.*)lifespan of (?s:.*) waited at\n(?s:.*) in never_starts"
        with pytest.raises(ServiceStartError, match=told) as raised:
            async with rig(Slow, live=never_starts):
                pass
        assert "asyncio/" not in str(raised.value)

    run(scenario())


def test_a_start_is_ended_by_another_service_that_fails(run: Run) -> None:
    started = asyncio.Event()

    async def starts(_scope: Any, _receive: Any, _say: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    @service_fixture
    class Broken:
        async def start(self) -> None:
            await started.wait()
            raise ConnectionError("no broker")

        async def stop(self) -> None: ...

    @service_fixture
    @dataclass(kw_only=True)
    class Both:
        service: Service
        broken: Broken

        async def start(self) -> None: ...
        async def stop(self) -> None: ...

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match="no broker"):
            async with rig(Both, live=starts):
                pass

    run(scenario())


def test_an_application_that_swallows_its_cancellation_is_left_behind(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lifespan, "GRACE", 0.05)
    released = asyncio.Event()

    async def stubborn(_scope: Any, _receive: Any, _say: Any) -> None:
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), rig(Service, live=stubborn):
                pass
        assert "the lifespan of Service swallowed its cancellation, and was left behind at\n" in caplog.text
        assert " in stubborn" in caplog.text
        released.set()
        await asyncio.sleep(0)

    run(scenario())


def test_what_it_raises_when_its_start_is_ended_is_logged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def fails_to_close(_scope: Any, _receive: Any, _say: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError("the pool did not close")

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), rig(Service, live=fails_to_close):
                pass
        assert "ConnectionError: the pool did not close" in caplog.text

    run(scenario())


@modes
def test_a_start_up_that_raises_ends_in_that_error(run: Run, mode: Mode) -> None:
    """As of a framework that reports the failure, and lets the error through; out of its group."""

    async def breaks() -> None:
        raise ConnectionError("no broker")

    async def fails(_scope: Any, receive: Any, say: Any) -> None:
        await receive()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(breaks())
        except BaseException:
            await say("startup.failed", "a traceback")
            raise

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match="Service did not start: ConnectionError: no broker") as raised:
            async with rig(Service, live=fails, lifespan=mode):
                pass
        assert isinstance(raised.value.__cause__, ConnectionError)

    run(scenario())


@modes
@pytest.mark.parametrize(("message", "told"), [("no database", "failed: no database\n"), ("", r"failed\.\n")])
def test_a_start_up_that_only_says_that_it_failed(
    run: Run, monkeypatch: pytest.MonkeyPatch, mode: Mode, message: str, told: str
) -> None:
    monkeypatch.setattr(lifespan, "GRACE", 0.05)

    async def fails(_scope: Any, receive: Any, say: Any) -> None:
        await receive()
        await say("startup.failed", message)
        await receive()  # it may stay

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=f"the start-up of its application {told}.*Service.create_app"):
            async with rig(Service, live=fails, lifespan=mode):
                pass

    run(scenario())


@pytest.mark.parametrize("said", ["http.response.start", "lifespan.startup.finished", "lifespan.shutdown.complete"])
def test_an_application_that_says_something_else_has_no_lifespan(run: Run, said: str) -> None:
    async def fails(_scope: Any, _receive: Any, say: Any) -> None:
        await say(said.removeprefix("lifespan."))

    async def scenario() -> None:
        async with running(Service(live=fails)) as service, TestClient(service) as api:
            await api.get("/", status=200)
        with pytest.raises(ServiceStartError, match=r"Service did not start: its application raised .*RuntimeError"):
            async with running(Service(live=fails, lifespan="on")):
                pass

    run(scenario())


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING], ids=["at once", "in its start-up"])
def test_an_application_that_raises_without_a_report_goes_on_without_a_lifespan(
    run: Run, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    """As the specification says. An error in its start-up is a warning."""
    caplog.set_level(logging.INFO)

    async def raises(_scope: Any, receive: Any, _say: Any) -> None:
        if level == logging.WARNING:
            await receive()
        raise ConnectionError("no broker")

    async def scenario() -> None:
        caplog.clear()
        async with running(Service(live=raises)) as service, TestClient(service) as api:
            await api.get("/", status=200)

    run(scenario())
    (record,) = [each for each in caplog.records if each.name == lifespan.__name__]
    assert record.levelno == level
    assert "no broker" in caplog.text


@modes
def test_an_application_that_returns_at_once_is_served(run: Run, mode: Mode) -> None:
    async def returns(_scope: Any, _receive: Any, _say: Any) -> None: ...

    async def scenario() -> None:
        async with running(Service(live=returns, lifespan=mode)) as service, TestClient(service) as api:
            await api.get("/", status=200)

    run(scenario())


def test_an_outcome_of_pytest_ends_the_start(run: Run) -> None:
    async def skips(_scope: Any, _receive: Any, _say: Any) -> None:
        raise pytest.skip.Exception("no broker here")

    async def scenario() -> None:
        with pytest.raises(pytest.skip.Exception, match="no broker here"):
            async with running(Service(live=skips)):
                pass

    run(scenario())
