"""The lifespan of an AsgiService's application: how its start is ended, and what it says afterwards."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import uvicorn  # noqa: F401 - loaded before a service starts, since that may take longer than a limit below

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError, ServiceStartError
from looprig.http import TestClient
from looprig.services import lifespan
from looprig.services.asgi import AsgiApp, AsgiService
from looprig.services.rig import rig
from tests.running import running
from tests.services.conftest import Run

Live = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[str], Awaitable[None]]], Awaitable[None]]
Mode = Literal["auto", "on"]

modes = pytest.mark.parametrize("mode", ["auto", "on"])


@service_fixture
@dataclass(kw_only=True)
class Service(AsgiService):
    """A service whose application does in its lifespan what it is given, and answers with its state."""

    live: Live

    async def create_app(self) -> AsgiApp:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def say(what: str, message: str = "") -> None:
                await send({"type": f"lifespan.{what}", "message": message})

            if scope["type"] == "lifespan":
                await self.live(scope, receive, say)
                return
            body = json.dumps(scope["state"]).encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        return app


# The start


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


# In use


@dataclass
class App:
    """A lifespan that starts, and does what it is told while it is in use and at its end."""

    in_use: Callable[[], Awaitable[None]] | None = None
    at_end: Callable[[Any], Awaitable[None]] | None = None
    began: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    async def __call__(self, scope: Any, receive: Any, say: Any) -> None:
        await receive()
        scope["state"]["size"] = 3
        await say("startup.complete")
        try:
            if self.in_use is not None:
                await self.began.wait()
                await self.in_use()
            await receive()
            if self.at_end is not None:
                await self.at_end(say)
            await say("shutdown.complete")
        finally:
            self.ended = True


async def used(live: Live, mode: Mode, begin: Callable[[], object]) -> None:
    """Run a service, have its lifespan begin to end, and wait for that."""
    async with rig(Service, live=live, lifespan=mode):
        begin()
        await asyncio.Event().wait()


def test_requests_get_the_state_that_its_start_up_made(run: Run) -> None:
    async def scenario() -> None:
        app = App()
        async with running(Service(live=app)) as service, TestClient(service) as api:
            assert await api.get("/", into=dict[str, int]) == {"size": 3}
        assert app.ended

    run(scenario())


@modes
def test_what_it_raises_while_it_is_in_use_ends_the_service(run: Run, mode: Mode) -> None:
    async def breaks() -> None:
        raise ConnectionError("the broker is gone")

    async def scenario() -> None:
        app = App(in_use=breaks)
        with pytest.raises(ConnectionError, match="the broker is gone"):
            await used(app, mode, app.began.set)

    run(scenario())


@modes
def test_a_failure_that_it_only_reports_while_it_is_in_use_ends_the_service(run: Run, mode: Mode) -> None:
    began = asyncio.Event()

    async def gives_up(_scope: Any, receive: Any, say: Any) -> None:
        await receive()
        await say("startup.complete")
        await began.wait()
        await say("shutdown.failed", "the broker is gone")

    async def scenario() -> None:
        with pytest.raises(LooprigError, match=r"The lifespan of Service failed: the broker is gone\n.*create_app"):
            await used(gives_up, mode, began.set)

    run(scenario())


def test_one_that_ends_early_and_well_is_no_failure(run: Run) -> None:
    began = asyncio.Event()

    async def leaves(_scope: Any, receive: Any, say: Any) -> None:
        await receive()
        await say("startup.complete")
        await began.wait()
        await say("shutdown.complete")

    async def scenario() -> None:
        async with running(Service(live=leaves)) as service, TestClient(service) as api:
            began.set()
            await api.get("/", status=200)

    run(scenario())


def test_code_that_cancels_all_tasks_does_not_mean_the_lifespan(run: Run) -> None:
    async def scenario() -> None:
        app = App()
        async with running(Service(live=app)) as service:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)
            assert not app.ended
            assert service.url
        assert app.ended

    run(scenario())


def test_one_that_is_cancelled_says_so(run: Run) -> None:
    tasks: list[Any] = []

    async def cancels(scope: Any, receive: Any, say: Any) -> None:
        tasks[:] = [asyncio.current_task()]
        await App()(scope, receive, say)

    async def scenario() -> None:
        with pytest.raises(LooprigError, match=r"The lifespan of Service was cancelled\.\n.*create_app"):
            await used(cancels, "auto", lambda: tasks.pop().cancel())

    run(scenario())


# The end


@modes
def test_what_it_raises_at_its_end_is_raised_by_the_stop(run: Run, mode: Mode) -> None:
    async def breaks(say: Any) -> None:
        await say("shutdown.failed", "a traceback")
        raise ConnectionError("the pool did not close")

    async def scenario() -> None:
        with pytest.raises(ConnectionError, match="the pool did not close"):
            async with running(Service(live=App(at_end=breaks), lifespan=mode)):
                pass

    run(scenario())


@modes
def test_a_failure_that_it_only_reports_at_its_end_is_raised_by_the_stop(run: Run, mode: Mode) -> None:
    async def live(_scope: Any, receive: Any, say: Any) -> None:
        await receive()
        await say("startup.complete")
        await receive()
        await say("shutdown.failed", "the pool did not close")

    async def scenario() -> None:
        with pytest.raises(LooprigError, match=r"The lifespan of Service failed: the pool did not close\n"):
            async with running(Service(live=live, lifespan=mode)):
                pass

    run(scenario())


def test_an_end_that_takes_forever_is_ended_by_a_time_limit_around_it(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def stays(_say: Any) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        app = App(at_end=stays)
        life = Service(live=app).run()
        await anext(life)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await anext(life)
        assert app.ended

    run(scenario())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
