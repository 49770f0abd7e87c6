"""The extra `aiohttp`: an app under test, and its typed client. And network faults, where the system has them."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from looprig import AiohttpService, ProcessService, Proxy, TestClient, service_fixture
from looprig.toxics import Latency

if TYPE_CHECKING:
    from aiohttp import web
else:
    web = pytest.importorskip("aiohttp.web", reason="needs looprig[aiohttp]")

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


@service_fixture(scope="module")
@dataclass(kw_only=True)
class Rest(AiohttpService):
    """A service of names."""

    async def create_app(self) -> web.Application:
        async def names(_: web.Request) -> web.Response:
            return web.json_response(["Ada", "Grace"])

        app = web.Application()
        app.router.add_get("/names", names)
        return app


@service_fixture
@dataclass(kw_only=True)
class Worker(ProcessService):
    """A process that says that it is up."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-u", "-c", "import time; print('up'); time.sleep(600)"]

    async def ready(self) -> bool:
        return "up" in self.output


async def test_a_client_decodes_what_a_service_answers(api: TestClient[Rest]) -> None:
    assert await api.get("/names", into=list[str], status=200) == ["Ada", "Grace"]


@needs_posix
async def test_a_proxy_delays(proxy: Proxy[Rest]) -> None:
    async with TestClient(proxy.routed) as api:
        with proxy.apply(Latency(0.01)) as applied:
            assert await api.get("/names", into=list[str]) == ["Ada", "Grace"]
        assert applied.struck


@needs_posix
async def test_a_process_runs_and_starts_again(worker: Worker) -> None:
    first = worker.pid
    await worker.restart()
    assert worker.pid != first
