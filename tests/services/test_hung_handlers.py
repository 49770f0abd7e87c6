"""A handler that hangs when its service stops: it delays that by a second at most, whatever the service is made of."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest
from aiohttp import web

from looprig.exceptions import StuckTaskError
from looprig.services.address import Address
from looprig.services.aiohttp import AiohttpService
from looprig.services.asgi import AsgiApp, AsgiService
from looprig.services.tcp import TcpService
from tests.running import running
from tests.services.conftest import Run

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OPEN = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@dataclass(kw_only=True)
class Hangs:
    """The part of a handler that hangs. A stubborn one swallows its cancellation until it is released."""

    is_stubborn: bool = False
    entered: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    released: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def hang(self) -> None:
        self.entered.set()
        try:
            while self.is_stubborn and not self.released.is_set():
                with suppress(asyncio.CancelledError):
                    await self.released.wait()
            await self.released.wait()
        finally:
            self.ended.set()


class Service(Protocol):
    """One of the services below."""

    entered: asyncio.Event
    ended: asyncio.Event
    released: asyncio.Event

    @property
    def address(self) -> Address: ...
    def run(self) -> AsyncIterator[None]: ...


@dataclass(kw_only=True)
class Aiohttp(Hangs, AiohttpService):
    """On aiohttp."""

    async def create_app(self) -> web.Application:
        async def handle(request: web.Request) -> web.StreamResponse:
            if "Upgrade" in request.headers:
                await web.WebSocketResponse().prepare(request)
            await self.hang()
            return web.Response()

        app = web.Application()
        app.router.add_get("/", handle)
        return app


@dataclass(kw_only=True)
class Asgi(Hangs, AsgiService):
    """On uvicorn."""

    async def create_app(self) -> AsgiApp:
        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                return
            if scope["type"] == "websocket":
                await send({"type": "websocket.accept"})
            await self.hang()

        return app


@dataclass(kw_only=True)
class Tcp(Hangs, TcpService):
    """On bare connections."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await self.hang()


@pytest.mark.parametrize("is_left", [False, True], ids=["connected", "left"])
@pytest.mark.parametrize("asked", [GET, OPEN], ids=["get", "websocket"])
@pytest.mark.parametrize("make", [Aiohttp, Asgi, Tcp])
def test_a_handler_that_hangs_delays_the_stop_by_a_second_at_most(
    run: Run, make: type[Aiohttp] | type[Asgi] | type[Tcp], asked: bytes, *, is_left: bool
) -> None:
    """And has ended afterwards. Its client may have left."""

    async def scenario() -> None:
        service: Service = make()
        async with running(service):
            _, writer = await asyncio.open_connection(*service.address)
            writer.write(asked)
            await service.entered.wait()
            if is_left:
                writer.transport.abort()
                await asyncio.sleep(0)
            began = time.monotonic()
        took = time.monotonic() - began
        assert service.ended.is_set()
        assert took < 2  # a second, and a busy machine
        writer.close()

    run(scenario())


@pytest.mark.parametrize("make", [Asgi, Tcp])
def test_one_that_swallows_its_cancellation_is_reported_and_left_behind(run: Run, make: type[Asgi] | type[Tcp]) -> None:
    """The error shows where it waits."""

    async def used(service: Service) -> None:
        async with running(service):
            _, writer = await asyncio.open_connection(*service.address)
            writer.write(GET)
            await service.entered.wait()
            writer.close()

    async def scenario() -> None:
        service = make(is_stubborn=True, shutdown_timeout=0.05)
        with pytest.raises((StuckTaskError, ExceptionGroup)) as raised:
            await used(service)
        (error,) = getattr(raised.value, "exceptions", [raised.value])
        assert isinstance(error, StuckTaskError)
        assert "1 of the " in str(error)
        assert " did not end within " in str(error)
        assert " in hang" in error.__notes__[0]
        service.released.set()
        await asyncio.wait_for(service.ended.wait(), 10)

    run(scenario())
