"""A suite that doesn't use looprig has the same ids, order, outcomes and warnings with it installed."""

import re
from typing import Final

import pytest

from tests.peers.test_owners import beside
from tests.plugin.suite import OPTIONS, output, write

WITHOUT: Final = tuple(
    word for word in OPTIONS if word not in {"-Werror", "-p", "looprig.pytest_plugin", "no:cacheprovider"}
)
HEAD: Final = """
from unittest.mock import AsyncMock, Mock, call

class Answers:
    def __getattr__(self, name):
        return 3

class Refuses:
    def __getattr__(self, name):
        raise RuntimeError(name)

a_mock, an_async_mock, answers, refuses = Mock(), AsyncMock(), Answers(), Refuses()

import asyncio
import contextvars
import unittest
import warnings
import pytest

var = contextvars.ContextVar("var", default=0)

@pytest.fixture(params=["a", "b"])
def letter(request):
    var.set(var.get() + 1)
    return request.param

def test_sync(letter):
    warnings.warn("of a test", stacklevel=1)
    assert var.get() >= 1

def test_typo(leter): ...

def test_fails(): assert 0

@pytest.mark.skip(reason="not now")
async def test_skipped(absent): ...

@pytest.mark.xfail
async def test_expected_to_fail(): assert 0

class TestUnit(unittest.TestCase):
    def test_it(self): ...

class TestUnitAsync(unittest.IsolatedAsyncioTestCase):
    async def test_it(self): await asyncio.sleep(0)
"""
TESTS: Final = """
class TestSetUp:
    async def setup_method(self): ...

    def test_method(self): ...

@pytest.fixture
async def made(letter):
    await asyncio.sleep(0)
    yield letter

async def test_made(made): assert made in "ab"

@pytest.mark.parametrize("number", [1, 2])
async def test_numbers(number): assert number == 1

async def test_generator():
    yield

async def test_leaves_a_task():
    asyncio.get_running_loop().create_task(asyncio.sleep(60))

class TestIn:
    @pytest.fixture
    async def own(self, made): return made

    async def test_own(self, own): ...

    @staticmethod
    async def test_static(): ...
"""
ASYNCIO: Final = """
@pytest.fixture(scope="session")
async def wide(): yield asyncio.get_running_loop()

@pytest.fixture(scope="session", autouse=True)
async def around(): yield

@pytest.mark.asyncio(loop_scope="session")
async def test_wide(wide): assert wide is asyncio.get_running_loop()

@pytest.mark.asyncio(loop_scope="module")
class TestLoopScope:
    async def test_of_module(self, wide): ...

"""
NAMES: Final = """
def test_loop(loop): ...

@pytest.fixture
def services(): return {"db": 1}

def test_services(services): assert services["db"] == 1
"""
AIOHTTP: Final = """
from aiohttp import web

async def test_client(aiohttp_client):
    client = await aiohttp_client(web.Application())
    assert (await client.get("/")).status == 404
"""
AIOHTTP_OWN: Final = """
from aiohttp import web

async def test_client(aiohttp_client):
    client = await aiohttp_client(web.Application())
    assert (await client.get("/")).status == 404

async def test_loop(loop): assert loop is asyncio.get_running_loop()
"""
AIOMISC: Final = """
import aiomisc

class Service(aiomisc.Service):
    async def start(self): self.start_event.set(); await asyncio.sleep(60)

@pytest.fixture
def services(): return [Service()]

@pytest.fixture
def default_context(): return {"answer": 42}

async def test_context(): assert await aiomisc.get_context()["answer"] == 42

async def test_loop(event_loop): assert event_loop is asyncio.get_running_loop()

def test_sync_loop(event_loop): event_loop.run_until_complete(asyncio.sleep(0))

@pytest.mark.catch_loop_exceptions
async def test_catching(): ...
"""
TRIO: Final = """
import trio

@pytest.fixture
async def made(letter): return letter

async def test_trio(made, nursery): await trio.sleep(0)

async def test_fails_in_trio(): assert 0
"""
SESSION: Final = ("-o", "asyncio_default_fixture_loop_scope=session")
SUITES: Final[dict[str, tuple[str, tuple[str, ...], str]]] = {
    "pytest-asyncio, auto": ("asyncio", ("--asyncio-mode=auto", *SESSION), TESTS + ASYNCIO + NAMES),
    "pytest-asyncio, auto, and pytest-aiohttp": ("asyncio aiohttp", ("--asyncio-mode=auto",), TESTS + AIOHTTP),
    "pytest-asyncio, strict": (
        "asyncio",
        SESSION,
        ASYNCIO.replace("@pytest.fixture(scope", "@pytest_asyncio.fixture(scope").replace(
            "@pytest_asyncio", "import pytest_asyncio\n@pytest_asyncio", 1
        ),
    ),
    "anyio, auto": ("anyio", ("-o", "anyio_mode=auto"), TESTS),
    "anyio, marked": (
        "anyio",
        (),
        "\n@pytest.mark.anyio\nasync def test_marked(letter, anyio_backend_name): assert letter\n",
    ),
    "pytest-trio": ("trio", ("-o", "trio_mode=true"), TRIO),
    "aiomisc-pytest": ("aiomisc", (), TESTS + AIOMISC),
    "alt-pytest-asyncio": ("alt_pytest_asyncio alt_pytest_asyncio.enable", (), TESTS),
    "aiohttp's own": ("aiohttp.pytest_plugin", (), AIOHTTP_OWN),
}


def seen(result: pytest.RunResult) -> dict[str, list[str]]:
    """Return what a run shows: each test with its outcome, in order, and the warnings."""
    text = output(result)
    warned = re.search(r"^=+ warnings summary.*?^-- Docs", text, re.DOTALL | re.MULTILINE)
    return {
        "outcomes": re.findall(r"^(test_it\.py::.*?[A-Z]{4,}|.*? [A-Z]{4,} +\[.*?\])", text, re.MULTILINE),
        "warnings": sorted(warned[0].splitlines()) if warned is not None else [],
        "closing": re.findall(r"^=+ (.*) in [\d.]+s", text, re.MULTILINE),
        "status": [str(result.ret)],
    }


@pytest.mark.parametrize("suite", SUITES)
def test_nothing_changes(pytester: pytest.Pytester, suite: str) -> None:
    plugins, options, tests = SUITES[suite]
    write(pytester, {"test_it.py": HEAD + tests})
    command = (*WITHOUT, "-p", "no:cacheprovider", "-v", *beside(*plugins.split()), *options)
    without = pytester.runpytest_subprocess(*command, "-p", "no:looprig", timeout=60)
    beside_it = pytester.runpytest_subprocess("-p", "looprig.pytest_plugin", *command, timeout=60)
    assert len(seen(without)["outcomes"]) >= 10
    assert seen(beside_it) == seen(without)
