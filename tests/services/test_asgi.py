"""AsgiService over a real socket: lifespan, requests and websockets, stop, TLS, and errors."""

import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from looprig.exceptions import ExtraMissingError, LooprigError, ServiceStartError
from looprig.http import TestClient
from looprig.services.asgi import AsgiApp, AsgiService
from tests.running import running
from tests.services.conftest import Run, Tls


@dataclass(kw_only=True)
class Hello(AsgiService):
    """A service that greets; `/wait` never answers, `/fail` raises, `/ws` echoes."""

    seen: list[str] = field(default_factory=list[str], init=False)
    entered: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    async def create_app(self) -> AsgiApp:
        self.seen.append(self.url)
        return self.serve

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        match scope["type"], scope.get("path"):
            case "lifespan", _:
                await self.live(receive, send)
            case "http", "/wait":
                self.entered.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.seen.append("cancelled")
            case "http", "/fail":
                raise LookupError("no such thing")
            case "http", _:
                body = json.dumps({"scheme": scope["scheme"], "path": scope["path"]}).encode()
                headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": body})
            case _:
                await receive()
                await send({"type": "websocket.accept"})
                message = await receive()
                await send({"type": "websocket.send", "text": message["text"].upper()})
                await send({"type": "websocket.close", "code": 1000})

    async def live(self, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        self.seen.append("opened")
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        self.seen.append("closed")
        await send({"type": "lifespan.shutdown.complete"})


def test_it_serves_between_the_ends_of_the_lifespan(run: Run) -> None:
    async def scenario() -> None:
        hello = Hello()
        async with running(hello), TestClient(hello) as api:
            url = hello.url
            assert hello.seen == [url, "opened"]
            assert hello.app == hello.serve
            found = await api.get("/a", into=dict[str, str], status=200)
            assert found == {"scheme": "http", "path": "/a"}
            async with api.ws("/ws") as echo:
                await echo.send("hello")
                assert await echo.receive_text() == "HELLO"
        assert hello.seen == [url, "opened", "closed"]
        with pytest.raises(LooprigError, match="Hello is not running"):
            _ = hello.port

    run(scenario())


def test_it_takes_no_signals_and_stops_soon(run: Run) -> None:
    async def scenario() -> None:
        before = signal.getsignal(signal.SIGINT)
        async with running(Hello()):
            assert signal.getsignal(signal.SIGINT) is before
            began = time.monotonic()
        assert time.monotonic() - began < 5

    run(scenario())


def test_an_error_of_the_application_is_a_500(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with running(Hello()) as hello, TestClient(hello) as api:
            await api.get("/fail", status=500)
            await api.get("/", status=200)

    run(scenario())
    assert "no such thing" in caplog.text


def test_requests_that_do_not_end_are_cancelled(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        hello = Hello(shutdown_timeout=0)
        async with running(hello), TestClient(hello) as api:
            asking = asyncio.create_task(api.get("/wait"))
            await hello.entered.wait()
        assert "cancelled" in hello.seen
        asking.cancel()
        await asyncio.wait([asking])

    run(scenario())


def test_it_speaks_tls(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        hello = Hello(tls=tls.server, client_tls=tls.client)
        async with running(hello), TestClient(hello) as api:
            assert hello.url.startswith("https://")
            assert (await api.get("/", into=dict[str, str]))["scheme"] == "https"

    run(scenario())


def test_an_application_without_a_lifespan_is_well_unless_it_is_to_have_one(run: Run) -> None:
    async def plain(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    class Plain(AsgiService):
        async def create_app(self) -> AsgiApp:
            return plain

    async def scenario() -> None:
        async with running(Plain()) as service, TestClient(service) as api:
            await api.get("/", status=204)
        told = (
            r"Plain did not start: its application raised in its lifespan: AssertionError.*\n(?s:.*)lifespan=\"auto\""
        )
        with pytest.raises(ServiceStartError, match=told):
            async with running(Plain(lifespan="on")):
                pass

    run(scenario())


def test_what_is_no_application_is_told(run: Run) -> None:
    class Nothing(AsgiService):
        async def create_app(self) -> AsgiApp:
            return None  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    async def scenario() -> None:
        with pytest.raises(
            ServiceStartError, match=r"Nothing\.create_app returned None, which isn't an ASGI application\."
        ):
            async with running(Nothing()):
                pass

    run(scenario())


@pytest.mark.parametrize("missing", ["uvicorn", "wsproto"])
def test_what_is_not_installed_is_named(run: Run, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(ExtraMissingError, match=rf"Hello needs {missing}(?s:.*)pip install 'looprig\[asgi\]'"):
            async with running(Hello()):
                pass

    run(scenario())
