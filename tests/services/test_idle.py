"""Waiting until a service handles no request: each kind of service, and what the error says when it takes too long."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from looprig.exceptions import DeclarationError, LooprigError
from looprig.http import TestClient
from looprig.services.aiohttp import AiohttpService
from looprig.services.asgi import AsgiApp, AsgiService
from looprig.services.tcp import TcpService
from tests.running import Run, run, running

__all__ = ["run"]


@dataclass(kw_only=True)
class Late(AsgiService):
    """An application that goes on after its answer was sent, as FastAPI does with dependencies."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    ended: int = field(default=0, init=False)

    async def create_app(self) -> AsgiApp:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.accept"})
                await receive()
                await receive()
            else:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"done"})
                await self.tear_down()
            self.ended += 1

        return app

    async def tear_down(self) -> None:
        await self.go_on.wait()


@dataclass(kw_only=True)
class Slow(AiohttpService):
    """An application whose handler waits."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    ended: int = field(default=0, init=False)

    async def create_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/slow", self.slow)
        app.router.add_get("/fails", self.fails)
        return app

    async def slow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        try:
            await self.go_on.wait()
        finally:
            self.ended += 1
        return response

    async def fails(self, request: web.Request) -> web.Response:
        raise web.HTTPBadRequest


@dataclass(kw_only=True)
class Echo(TcpService):
    """A server that serves until its client leaves."""

    ended: int = field(default=0, init=False)

    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        self.ended += 1


async def error_of(service: Late | Slow | Echo) -> str:
    with pytest.raises(TimeoutError) as caught:
        await service.idle(timeout=0.05)
    text = re.sub(r"\S*test_idle\.py:\d+", "test_idle.py:N", str(caught.value))
    text = re.sub(r"begun [\d.]+ s ago", "begun then", text)
    return re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)


def test_an_asgi_application_is_idle_when_its_call_has_ended(run: Run) -> None:
    async def scenario() -> None:
        async with running(Late()) as late, TestClient(late) as api:
            await late.idle()
            assert (await api.get("/users?page=1", status=200)).text == "done"
            assert late.ended == 0
            assert await error_of(late) == (
                "Late still handles 1 request after 0.05 s.\n"
                "  test_idle.py:N: Late\n"
                "Wait longer with timeout=, or end what the test has open: streams and websockets count.\n"
                "GET /users?page=1, begun then, waits at\n"
                "  test_idle.py:N in app\n"
                "  test_idle.py:N in tear_down"
            )
            asyncio.get_running_loop().call_soon(late.go_on.set)
            await late.idle()
            assert late.ended == 1
            async with api.ws("/ws"):
                assert "\nwebsocket /ws, begun " in await error_of(late)
            await late.idle()
            assert late.ended == 2

    run(scenario())


def test_an_aiohttp_application_is_idle_when_its_handlers_have_ended(run: Run) -> None:
    """A connection that is kept open does not count; leaving a stream early ends its handler."""

    async def scenario() -> None:
        async with running(Slow()) as slow, TestClient(slow) as api:
            await api.get("/fails", status=400)
            await api.get("/nowhere", status=404)
            await slow.idle(timeout=1)
            async with api.stream("GET", "/slow") as one, api.stream("GET", "/slow", params={"a": "b"}) as two:
                await anext(one.iter_bytes())
                await anext(two.iter_bytes())
                text = await error_of(slow)
                assert text.startswith("Slow still handles 2 requests after 0.05 s.\n  test_idle.py:N: Slow\n")
                assert "\nGET /slow, begun then, waits at\n  test_idle.py:N in slow" in text
                assert "\nGET /slow?a=b, begun then, waits at\n  test_idle.py:N in slow" in text
            await slow.idle()
            assert slow.ended == 2

    run(scenario())


def test_a_tcp_server_is_idle_when_no_client_is_served(run: Run) -> None:
    async def scenario() -> None:
        async with running(Echo()) as echo:
            reader, writer = await asyncio.open_connection(*echo.address)
            writer.write(b"hi\n")
            assert await reader.readline() == b"hi\n"
            assert "\nthe client at ADDRESS, begun then, waits at\n  test_idle.py:N in handle" in await error_of(echo)
            writer.close()
            await echo.idle()
            assert echo.ended == 1

    run(scenario())


@pytest.mark.parametrize("make", [Late, Slow, Echo])
def test_it_needs_a_running_service_and_a_number(run: Run, make: Callable[[], Any]) -> None:
    async def scenario() -> None:
        with pytest.raises(LooprigError, match="is not running, so it has no address"):
            await make().idle()
        async with running(make()) as service:
            with pytest.raises(DeclarationError, match=r"\.idle was given timeout='x'"):
                await service.idle(timeout="x")
            waiting: list[Awaitable[None]] = [service.idle() for _ in range(3)]
            await asyncio.gather(*waiting)

    run(scenario())


@dataclass(kw_only=True)
class InGroup(AsgiService):
    """An application that handles a request in a group, while the framework's own code waits for the disconnect."""

    async def create_app(self) -> AsgiApp:
        import anyio

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})
            async with anyio.create_task_group() as group:
                group.start_soon(self.stream)
                group.start_soon(receive)

        return app

    async def stream(self) -> None:
        await asyncio.sleep(30)


def test_the_error_shows_the_suites_own_lines_in_the_tasks_of_a_request(run: Run) -> None:
    pytest.importorskip("anyio")

    async def scenario() -> None:
        async with running(InGroup(shutdown_timeout=0.0)) as service, TestClient(service) as api:
            await api.get("/")
            with pytest.raises(TimeoutError) as caught:
                await service.idle(timeout=0.05)
            line = r"\n  \S+test_idle\.py:\d+ in"
            assert re.search(f"waits at{line} app{line} stream$", str(caught.value))

    run(scenario())


def test_its_name_in_errors_is_not_that_of_an_internal_class(run: Run) -> None:
    async def scenario() -> None:
        async with running(Slow()) as service:
            with pytest.raises(TypeError, match=r"^idle\(\) takes 1 positional argument"):
                await service.idle(3)  # type: ignore[call-arg]

    run(scenario())
