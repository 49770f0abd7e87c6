"""A suite that is rewritten passes under looprig, without the plugin that it was written for."""

import textwrap

import pytest

from looprig.__main__ import main
from tests.plugin.suite import output, run_apart

ASYNCIO = """
import asyncio

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loop_of_module():
    yield asyncio.get_running_loop()


async def test_is_on_it(loop_of_module, unused_tcp_port):
    assert asyncio.get_running_loop() is loop_of_module
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", unused_tcp_port):
        _, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.close()
        await writer.wait_closed()
"""
ANYIO = """
import asyncio

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def loop_of_module(anyio_backend):
    yield asyncio.get_running_loop()


async def test_is_on_it(loop_of_module):
    assert asyncio.get_running_loop() is loop_of_module
"""
AIOHTTP = """
import pytest
from aiohttp import web


@pytest.fixture
def app(tmp_path):
    async def tell(request):
        return web.json_response({"folder": str(tmp_path), "name": request.query["name"]})

    app = web.Application()
    app.router.add_get("/", tell)
    return app


@pytest.fixture
async def client(aiohttp_client, app):
    return await aiohttp_client(app)


async def test_tells(client, tmp_path):
    async with client.get("/", params={"name": "ada"}) as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith("application/json")
        assert await response.json() == {"folder": str(tmp_path), "name": "ada"}


async def test_refuses(client):
    response = await client.post("/")
    assert response.status == 405
    assert "405" in await response.text()
"""


@pytest.mark.parametrize(
    ("suite", "count"),
    [
        pytest.param(ASYNCIO, 1, id="pytest-asyncio"),
        pytest.param(ANYIO, 1, id="anyio"),
        pytest.param(AIOHTTP, 2, id="aiohttp"),
    ],
)
def test_it_passes(pytester: pytest.Pytester, suite: str, count: int) -> None:
    path = pytester.path / "test_it.py"
    path.write_text(textwrap.dedent(suite))
    assert main(["migrate", "--write", str(path)]) == 0
    result = run_apart(pytester, path.read_text())
    assert result.ret == 0, output(result)
    result.assert_outcomes(passed=count)
