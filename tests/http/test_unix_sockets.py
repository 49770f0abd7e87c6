"""HTTP over Unix sockets: services that listen on one, their clients, and proxies on either side."""

import asyncio
import ssl
import stat
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from looprig.exceptions import DeclarationError, LooprigError, ServiceStartError
from looprig.http import TestClient
from looprig.net.unix import split_unix_url, unix_url
from looprig.services.asgi import AsgiApp, AsgiService
from looprig.services.proxy import Proxy
from looprig.services.tcp import TcpService
from tests.http.shop import Shop
from tests.plugin.suite import run as run_suite
from tests.running import Run, run, running

__all__ = ["run"]


@dataclass(kw_only=True)
class Asgi(AsgiService):
    """An application that says where it was reached."""

    async def create_app(self) -> AsgiApp:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.send", "text": scope["path"]})
                await receive()
                return
            assert scope["type"] == "http"
            host = dict(scope["headers"])[b"host"]
            await send({"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", b"a=b")]})
            await send({"type": "http.response.body", "body": host + scope["path"].encode()})

        return app


@dataclass(kw_only=True)
class Echo(TcpService):
    """A server of lines."""

    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)


def test_an_asgi_application(run: Run) -> None:
    """With cookies, websockets and absolute URLs. The socket is in a folder that only this user can enter."""

    async def scenario() -> None:
        async with running(Asgi(unix_socket=True)) as service, TestClient(service) as api:
            path = service.path
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert service.url == api.url == unix_url(path)
            assert (await api.get("/users", status=200)).text == "localhost/users"
            assert (await api.get(f"{api.url}/users", status=200)).text == "localhost/users"
            assert api.cookies["a"] == "b"
            async with api.ws("/ws") as socket:
                assert await socket.receive_text() == "/ws"
            await service.idle()
            with pytest.raises(DeclarationError, match="but sends only to"):
                await api.get("http+unix://%2Felsewhere/users")
        assert not path.parent.exists()
        with pytest.raises(LooprigError, match="is not running"):
            _ = service.path

    run(scenario())


def test_an_aiohttp_application(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    """On a path of the test's own, which must be free, and is again afterwards."""

    async def scenario() -> None:
        path = tmp_path_factory.mktemp("u") / "s"
        for _ in range(2):
            async with running(Shop(unix_socket=path)) as shop, TestClient(shop) as api:
                assert shop.path == path
                assert (await api.post("/echo", json={"a": 1}, status=200)).json()["body"] == '{"a":1}'
                async with api.stream("GET", "/users", status=200) as response:
                    assert response.url == "http://localhost/users"
                    assert await response.read()
                async with TestClient(shop, url=f"{shop.url}/users") as users:
                    assert (await users.get("", status=200)).ok
                with pytest.raises(ServiceStartError, match=r"cannot listen on the Unix socket .*in use"):
                    async with running(Shop(unix_socket=str(path))):
                        pass
            assert not path.exists()

    run(scenario())


def test_a_tcp_server(run: Run) -> None:
    async def scenario() -> None:
        async with running(Echo(unix_socket=True)) as echo:
            reader, writer = await asyncio.open_unix_connection(echo.path)
            writer.write(b"hi\n")
            assert await reader.readline() == b"hi\n"
            with pytest.raises(TimeoutError, match="\nthe client at the other end of the socket, begun "):
                await echo.idle(timeout=0.01)
            writer.close()
            await echo.idle()

    run(scenario())


def test_a_service_has_an_address_or_a_path(run: Run) -> None:
    async def scenario() -> None:
        async with running(Echo()) as tcp, running(Echo(unix_socket=True)) as unix:
            with pytest.raises(LooprigError, match=r"Echo listens on a host and port.* no path\.\n.*\n.*`address`"):
                _ = tcp.path
            with pytest.raises(LooprigError, match=r"Echo listens on a Unix socket.* no host and port\.\n.*\n.*`path`"):
                _ = unix.port

    run(scenario())


def test_a_path_that_cannot_be_bound_is_an_error(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        long = tmp_path / ("x" * 108)
        with pytest.raises(ServiceStartError, match=r"its path has \d+ bytes.* at most 107.*\n.*\nChoose a short path"):
            async with running(Shop(unix_socket=long)):
                pass
        long.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(long))
        with pytest.raises(ServiceStartError, match="cannot listen on a Unix socket: its path has"):
            async with running(Shop(unix_socket=True)):
                pass
        assert list(long.iterdir()) == []
        with pytest.raises(ServiceStartError, match="has both tls and unix_socket"):
            async with running(Shop(unix_socket=True, tls=ssl.create_default_context())):
                pass
        wrong: list[Any] = [None, 5, "", b"x"]
        for each in wrong:
            with pytest.raises(DeclarationError, match="unix_socket must be True, False, or the path"):
                Shop(unix_socket=each)

    run(scenario())


@dataclass
class ByPath:
    """A service of any kind: its address is the path, and it has no URL."""

    address: str


def test_a_client_of_any_service_whose_address_is_a_path(run: Run) -> None:
    async def scenario() -> None:
        async with running(Shop(unix_socket=True)) as shop:
            async with TestClient(ByPath(str(shop.path))) as api:
                assert (await api.get("/users", status=200)).ok
            async with TestClient(ByPath("localhost"), url=shop.url) as other:
                assert (await other.get("/users", status=200)).ok
        with pytest.raises(LooprigError, match="has no http:// or https:// address"):
            async with TestClient(ByPath("localhost")):
                pass
        async with TestClient(ByPath(str(shop_path := Path("/nowhere/s")))) as nobody:
            with pytest.raises(OSError, match=str(shop_path)):
                await nobody.get("/")

    run(scenario())


def test_a_proxy_on_either_side(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    """From TCP to a Unix socket, from one Unix socket to another, and from a Unix socket to TCP."""

    async def scenario() -> None:
        path = str(tmp_path_factory.mktemp("u") / "p")
        for on_unix, listen_path in ((True, None), (True, path), (False, path)):
            async with (
                running(Shop(unix_socket=on_unix)) as shop,
                running(Proxy(service=shop, listen_path=listen_path)) as proxy,
                TestClient(proxy.routed) as api,
            ):
                assert (await api.get("/users", status=200)).ok
                assert len(proxy.connections) == 1
                if listen_path is None:
                    assert proxy.routed.address == proxy.address
                    assert proxy.routed.url == proxy.url
                    with pytest.raises(LooprigError, match="Shop is reached through the proxy at "):
                        _ = proxy.routed.path
                else:
                    assert proxy.routed.url == unix_url(path)
                    assert proxy.routed.path == Path(path)

    run(scenario())


def test_urls() -> None:
    assert unix_url("/a b/ü") == "http+unix://%2Fa%20b%2F%C3%BC"
    assert split_unix_url("http+unix://%2Fa%20b%2F%C3%BC/x?y") == ("/a b/ü", "http://localhost/x?y")
    assert split_unix_url("http://localhost") is None


def test_in_a_suite(pytester: pytest.Pytester) -> None:
    """Services and clients come from annotations, also where only the address says where to connect."""
    run_suite(
        pytester,
        """
from dataclasses import dataclass, field
from aiohttp import web
from looprig import AiohttpService, Proxy, TestClient, service_fixture

async def hello(request):
    return web.Response(text="hello")

@service_fixture(scope="module")
@dataclass(kw_only=True)
class Rest(AiohttpService):
    unix_socket: bool = True
    async def create_app(self):
        app = web.Application()
        app.router.add_get("/", hello)
        return app

@service_fixture
@dataclass(kw_only=True)
class Docker:
    rest: Rest
    address: str = field(default="", init=False)
    async def run(self):
        self.address = str(self.rest.path)
        yield

async def test_rest(api: TestClient[Rest], again: TestClient[Rest]):
    assert (await api.get("/")).text == (await again.get("/")).text == "hello"

async def test_docker(api: TestClient[Docker]):
    assert (await api.get("/")).text == "hello"

async def test_proxy(proxy: Proxy[Rest]):
    async with TestClient(proxy.routed) as api:
        assert (await api.get("/")).text == "hello"
""",
    ).assert_outcomes(passed=3)
