"""The docs site in a browser: a server with the built files, and Chromium, driven over its debugging protocol.

Both are services of looprig. Chromium talks to nothing but this server.
"""

import json
import os
import shutil
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

import aiohttp
import pytest
from aiohttp import web

from looprig import AiohttpService, ProcessService, service_fixture
from tests.site.built import SITE

__all__ = ["PROGRAM", "Browser", "Chromium", "Site", "browser"]

PROGRAM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)
LIMIT: Final = 20.0  # seconds for a page to be loaded


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Site(AiohttpService):
    """The built site."""

    async def create_app(self) -> web.Application:
        """Serve files, and nothing else."""
        app = web.Application()
        app.router.add_static("/", SITE)
        return app


@service_fixture(scope="session", start_timeout=60)
@dataclass(kw_only=True)
class Chromium(ProcessService):
    """A browser without a window, and with a profile of its own."""

    tmp_path_factory: pytest.TempPathFactory

    def command(self) -> Sequence[str]:
        """Return the command; root needs `--no-sandbox`."""
        assert PROGRAM is not None
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        return [
            PROGRAM,
            "--headless",
            *sandbox,
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            f"--user-data-dir={self.tmp_path_factory.mktemp('chromium')}",
            f"--remote-debugging-port={self.port}",
            "about:blank",
        ]

    async def ready(self) -> bool:
        """Return whether there is a page."""
        return bool(await self.debugger())

    async def debugger(self) -> str:
        """Return the address at which the page is debugged, or an empty string."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self.host}:{self.port}/json/list") as response,
        ):
            pages = [each for each in await response.json() if each["type"] == "page"]
            return str(pages[0]["webSocketDebuggerUrl"]) if pages else ""


@final
@dataclass
class Browser:
    """One page of the browser, on which a test opens pages of the site."""

    home: str
    socket: aiohttp.ClientWebSocketResponse
    errors: list[str] = field(default_factory=list[str])
    _commands: int = 0

    async def open(self, path: str, *, width: int = 1400, dark: bool = False) -> None:
        """Open a page of the site, and wait until it is loaded."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.command("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.errors.clear()
        await self.command("Page.navigate", url=f"{self.home}/{path}")
        await self.until("document.readyState == 'complete' && location.href != 'about:blank'")

    async def until(self, condition: str) -> None:
        """Wait until a condition of JavaScript holds."""
        wait = (
            "new Promise((done, fail) => { const end = Date.now() + %d;"
            " const look = () => { if (%s) done(true); else if (Date.now() > end) fail(new Error('never'));"
            " else setTimeout(look, 20); }; look(); })"
        )
        await self.evaluate(wait % (LIMIT * 1000, condition))

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, or of its promise."""
        how = {"returnByValue": True, "awaitPromise": True, "userGesture": True}
        done = await self.command("Runtime.evaluate", expression=expression, **how)
        assert "exceptionDetails" not in done, f"{expression}: {done['exceptionDetails']}"
        return done["result"].get("value")

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to the browser and return its result."""
        self._commands += 1
        await self.socket.send_json({"id": self._commands, "method": method, "params": parameters})
        while True:
            message = json.loads(await self.socket.receive_str(timeout=LIMIT * 2))
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(message["params"]["exceptionDetails"]))
            if message.get("id") == self._commands:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result


@pytest.fixture(scope="session")
async def browser(site: Site, chromium: Chromium) -> AsyncGenerator[Browser]:
    """A page of the browser."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(await chromium.debugger(), max_msg_size=0) as socket,
    ):
        page = Browser(str(site.url).rstrip("/"), socket)
        await page.command("Page.enable")
        await page.command("Runtime.enable")
        yield page
