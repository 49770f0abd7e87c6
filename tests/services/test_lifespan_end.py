"""What the lifespan of an AsgiService's application says after its start."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

# Loaded before a service starts, since that may take longer than a limit below.
import uvicorn  # noqa: F401  # pyright: ignore[reportUnusedImport]

from looprig.exceptions import LooprigError
from looprig.http import TestClient
from looprig.services.rig import rig
from tests.running import running
from tests.services.conftest import Run
from tests.services.lifespans import Live, Mode, Service, modes


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
