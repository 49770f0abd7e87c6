"""AiohttpService over a real socket: address, start and stop, TLS, and errors."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import pytest
from aiohttp import web

from looprig.exceptions import ExtraMissingError, LooprigError, ServiceStartError
from looprig.http import Response, TestClient
from looprig.net.ports import accepts_connections
from looprig.services.aiohttp import AiohttpService
from tests.running import running
from tests.services.conftest import Run, Tls


@dataclass(kw_only=True)
class Hello(AiohttpService):
    """A service that greets; `/wait` answers once it is allowed to."""

    greeting: str = "hello"
    lets_at_shutdown: bool = False
    seen: list[str] = field(default_factory=list[str], init=False)
    entered: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    let: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    async def create_app(self) -> web.Application:
        self.seen.append(self.url)
        with pytest.raises(ServiceStartError, match=r"Hello has no app yet(?s:.*)test_aiohttp\.py:\d+: Hello.create"):
            _ = self.app
        app = web.Application()
        app.router.add_get("/", self.hello)
        app.router.add_get("/wait", self.wait)
        app.cleanup_ctx.append(self.resource)
        if self.lets_at_shutdown:
            app.on_shutdown.append(self.shut_down)
        return app

    async def resource(self, app: web.Application) -> AsyncIterator[None]:
        self.seen.append("opened")
        yield
        self.seen.append("closed")

    async def shut_down(self, app: web.Application) -> None:
        self.let.set()

    async def hello(self, request: web.Request) -> web.Response:
        return web.json_response(self.greeting)

    async def wait(self, request: web.Request) -> web.Response:
        self.entered.set()
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return web.json_response(self.greeting)


def test_it_serves_and_is_gone_afterwards(run: Run) -> None:
    """`create_app` already knows its address; the application's own cleanup runs."""

    async def scenario() -> None:
        async with running(Hello(greeting="hi")) as hello, TestClient(hello) as api:
            address, url = hello.address, hello.url
            assert url == f"http://{hello.host}:{hello.port}"
            assert hello.seen == [url, "opened"]
            assert hello.app.frozen
            assert await api.get("/", into=str) == "hi"
        assert hello.seen == [url, "opened", "closed"]
        assert not await accepts_connections(*address)
        for name in ("url", "port", "address", "app"):
            with pytest.raises(LooprigError, match="Hello is not running, so it has no address"):
                getattr(hello, name)

    run(scenario())


def test_a_running_handler_has_time_to_answer(run: Run) -> None:
    """Shutdown is graceful for `shutdown_timeout` seconds."""

    async def scenario() -> None:
        async with running(Hello(lets_at_shutdown=True)) as hello:
            reader, writer = await asyncio.open_connection(*hello.address)
            writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await hello.entered.wait()
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        assert not hello.cancelled.is_set()
        writer.close()

    run(scenario())


def test_a_handler_that_outlives_the_shutdown_is_cancelled(run: Run) -> None:
    """The service stops anyway, and the client's connection ends."""

    async def scenario() -> None:
        async with running(Hello(shutdown_timeout=0.01)) as hello:
            reader, writer = await asyncio.open_connection(*hello.address)
            writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await hello.entered.wait()
        assert hello.cancelled.is_set()
        assert await reader.read() == b""
        writer.close()

    run(scenario())


def test_a_handler_is_cancelled_when_its_client_leaves(run: Run) -> None:
    """So that its resources are released while the test is still running."""

    async def scenario() -> None:
        async with running(Hello()) as hello:
            _, writer = await asyncio.open_connection(*hello.address)
            writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await hello.entered.wait()
            writer.close()
            await asyncio.wait_for(hello.cancelled.wait(), 10)

    run(scenario())


def test_handlers_can_be_left_running_when_a_client_leaves(run: Run) -> None:
    """`handler_cancellation=False`, which is aiohttp's own default."""

    async def scenario() -> None:
        async with running(Hello(handler_cancellation=False)) as hello:
            _, writer = await asyncio.open_connection(*hello.address)
            writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await hello.entered.wait()
            writer.close()
            await writer.wait_closed()
            assert await accepts_connections(*hello.address)  # the loop has run, and the service has seen the end
            assert not hello.cancelled.is_set()
            hello.let.set()

    run(scenario())


def test_https_is_served_and_trusted_by_the_client(run: Run, tls: Tls) -> None:
    """The client takes `client_tls` from the service."""

    async def scenario() -> None:
        async with running(Hello(tls=tls.server, client_tls=tls.client)) as hello, TestClient(hello) as api:
            assert hello.url == f"https://{hello.host}:{hello.port}"
            assert await api.get("/", into=str) == "hello"

    run(scenario())


def test_an_ipv6_host_has_brackets_in_its_url(run: Run) -> None:
    """And it is served like any other."""

    async def scenario() -> None:
        try:
            async with running(Hello(host="::1")) as hello, TestClient(hello) as api:
                assert hello.url == f"http://[::1]:{hello.port}"
                assert await api.get("/", into=str) == "hello"
        except ServiceStartError:
            pytest.skip("no IPv6 loopback here")

    run(scenario())


@dataclass(kw_only=True)
class Broken(AiohttpService):
    """A service that fails to start in a given way."""

    makes: Any = None

    async def create_app(self) -> web.Application:
        made = self.makes
        if isinstance(made, Exception):
            raise made
        return made  # type: ignore[no-any-return]


def test_an_error_of_create_app_is_raised_as_it_is(run: Run) -> None:
    """And the port is released."""

    async def scenario() -> None:
        broken = Broken(makes=ZeroDivisionError("mine"))
        with pytest.raises(ZeroDivisionError, match="mine"):
            async with running(broken):
                pass
        with pytest.raises(LooprigError, match="not running"):
            _ = broken.port

    run(scenario())


def test_an_error_of_the_applications_start_up_is_raised_as_it_is(run: Run) -> None:
    """Its other resources are cleaned up."""
    app = web.Application()

    async def fails(_: web.Application) -> None:
        raise ZeroDivisionError("mine")

    async def scenario() -> None:
        app.on_startup.append(fails)
        with pytest.raises(ZeroDivisionError, match="mine"):
            async with running(Broken(makes=app)):
                pass

    run(scenario())


def test_what_is_no_application_is_told(run: Run) -> None:
    """The error shows where `create_app` is defined."""

    async def scenario() -> None:
        with pytest.raises(ServiceStartError) as raised:
            async with running(Broken(makes=7)):
                pass
        what, where, fix = str(raised.value).splitlines()
        assert what == "Broken.create_app returned 7, which is not an aiohttp.web.Application."
        assert where.startswith("  tests/services/test_aiohttp.py:")
        assert where.endswith(": Broken.create_app")
        assert fix == "Return the application itself, not a runner or a coroutine that returns it."

    run(scenario())


def test_a_host_that_cannot_be_bound_is_told(run: Run) -> None:
    """192.0.2.1 is reserved for documentation (RFC 5737), so no machine has it."""

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=r"Hello cannot listen on 192\.0\.2\.1: "):
            async with running(Hello(host="192.0.2.1")):
                pass

    run(scenario())


def test_a_service_without_create_app_cannot_be_made() -> None:
    """Python's own error names the method."""

    class Unfinished(AiohttpService):
        """A service without its one method."""

    with pytest.raises(TypeError, match="create_app"):
        Unfinished()  # type: ignore[abstract]


def test_without_aiohttp_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the service and by the client."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)

    @dataclass
    class Remote:
        """A service on another machine."""

        url: str = "http://h"

    async def scenario() -> None:
        with pytest.raises(ExtraMissingError) as raised:
            async with running(Hello()):
                pass
        assert str(raised.value) == (
            "The service Hello needs aiohttp, which is not installed.\npip install 'looprig[aiohttp]'"
        )
        with pytest.raises(ExtraMissingError, match=r"looprig\.TestClient needs aiohttp"):
            await TestClient(Remote()).__aenter__()

    run(scenario())


def test_type_hints_can_be_read() -> None:
    """With aiohttp installed, for the class and its methods."""
    assert get_type_hints(Hello)["tls"] == ssl.SSLContext | None
    assert get_type_hints(AiohttpService.create_app) == {"return": web.Application}
    assert get_type_hints(TestClient[Hello].head)["return"] is Response
