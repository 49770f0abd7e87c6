"""The HTTP scenario: one GET per test against an aiohttp service, and a bare loop that does the same GETs.

Pure, like `suites.py`. Each contender's suite follows its own documentation. The service is module-scoped where the
contender supports that (looprig, pytest-asyncio, anyio, alt-pytest-asyncio). Otherwise there is one per test
(pytest-aiohttp's client, aiomisc's `services`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suites import ini

APP: Final = """
from aiohttp import web


async def item(request):
    return web.json_response({"id": int(request.match_info["number"]), "name": "item"})


async def make_app():
    app = web.Application()
    app.router.add_get("/items/{number}", item)
    return app
"""
_SERVE: Final = """
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

from app import make_app


@asynccontextmanager
async def address():
    runner = web.AppRunner(await make_app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving():
    async with address() as url, ClientSession(base_url=url) as session:
        yield session
"""
BARE: Final = """
# Serve, do N GETs one after the other, stop; print the wall and processor seconds of all three.

import asyncio
import sys
from time import perf_counter, process_time

from serving import serving


async def main(number):
    async with serving() as client:
        for n in range(number):
            async with client.get(f"/items/{n}") as response:
                assert response.status == 200
                assert (await response.json())["id"] == n


begin, processor = perf_counter(), process_time()
asyncio.run(main(int(sys.argv[1])))
print(perf_counter() - begin, process_time() - processor)
"""
_MODULE_CLIENT: Final = """
import pytest

from serving import serving


@pytest.fixture(scope="module")
async def client():
    async with serving() as session:
        yield session
"""
_OWN_CLIENT: Final = """
import pytest
from aiohttp import ClientSession

from serving import address


@pytest.fixture(scope="module")
async def url():
    async with address() as url:
        yield url


{fixture}
async def client(url):
    async with ClientSession(base_url=url) as session:
        yield session
"""
_HEADS: Final[Mapping[str, str]] = {
    "looprig": """
from dataclasses import dataclass

from aiohttp import web

from app import make_app
from looprig import AiohttpService, TestClient, service_fixture


@service_fixture(scope="module")
@dataclass(kw_only=True)
class Rest(AiohttpService):
    async def create_app(self) -> web.Application:
        return await make_app()
""",
    "pytest-asyncio": _MODULE_CLIENT,
    "alt-pytest-asyncio": _MODULE_CLIENT,
    "anyio": _MODULE_CLIENT
    + """

@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"
""",
    "pytest-aiohttp": """
import pytest

from app import make_app


@pytest.fixture
async def client(aiohttp_client):
    return await aiohttp_client(await make_app())
""",
    "aiomisc": """
import pytest
from aiohttp import ClientSession
from aiomisc.service.aiohttp import AIOHTTPService

from app import make_app


class Rest(AIOHTTPService):
    async def create_application(self):
        return await make_app()


@pytest.fixture
def port(aiomisc_unused_port_factory):
    return aiomisc_unused_port_factory()


@pytest.fixture
def services(port):
    return [Rest(address="127.0.0.1", port=port)]


@pytest.fixture
async def client(entrypoint, port):
    async with ClientSession(base_url=f"http://127.0.0.1:{port}") as session:
        yield session
""",
}
_TEST: Final = """

async def test_{number}(client):
    async with client.get("/items/{number}") as response:
        assert response.status == 200
        assert (await response.json())["id"] == {number}
"""
_LOOPRIG_TEST: Final = """

async def test_{number}(client: TestClient[Rest]) -> None:
    found = await client.get("/items/{number}", into=dict[str, object], status=200)
    assert found["id"] == {number}
"""


def make_http_suite(contender: str, tests: int, *, own_clients: bool) -> dict[str, str]:
    """Return a module of `tests` tests with one GET each, and the bare script beside it.

    With `own_clients`, each test has a client of its own, as with looprig, even if the contender can have a wide one.
    """
    module_loop = "asyncio_default_test_loop_scope = module\n" * (contender == "pytest-asyncio")
    files = {
        "pytest.ini": ini(contender, joined=False) + module_loop,
        "app.py": APP,
        "serving.py": _SERVE,
        "bare.py": BARE,
    }
    contender = contender.partition("+")[0]
    if contender in _HEADS:
        body = _LOOPRIG_TEST if contender == "looprig" else _TEST
        head = _HEADS[contender]
        if own_clients:
            is_asyncio = contender == "pytest-asyncio"
            fixture = '@pytest_asyncio.fixture(loop_scope="module")' if is_asyncio else "@pytest.fixture"
            own = _OWN_CLIENT.format(fixture=fixture)
            head = head.replace(_MODULE_CLIENT, f"import pytest_asyncio\n{own}" if is_asyncio else own)
        files["test_http.py"] = head + "".join(body.format(number=n) for n in range(tests))
    return files
