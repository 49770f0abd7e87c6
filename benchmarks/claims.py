"""The claims of the README's table that can be tried: a small suite for each, the same for every plugin.

Pure. A suite has no marker and no setting but the mode in which its plugin runs every `async def` test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CLAIMS", "MODES", "Claim"]

MODES: Final[Mapping[str, str]] = {
    "pytest-asyncio": "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = fixture-scope",
    "pytest-aiohttp": "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = fixture-scope",
    "anyio": "anyio_mode = auto",
}
"""What each plugin needs in the ini file."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim, which holds if the run of its suite ends by itself, with these numbers of outcomes, and prints `says`.

    `settings` are lines for the ini file of a plugin, and `options` are arguments for looprig, whose checks are opt-in.
    """

    title: str
    suite: str
    outcomes: Mapping[str, int]
    says: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


_SESSION: Final = "asyncio_default_test_loop_scope = session"
CLAIMS: Final = (
    Claim(
        "A test and a module's server run on one loop",
        """
import asyncio
import pytest

async def greet(reader, writer):
    writer.write(b"hello")
    writer.close()

@pytest.fixture(scope="module")
async def port():
    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]

async def test_greets(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read() == b"hello"
    writer.close()
""",
        {"passed": 1},
    ),
    Claim(
        "So do a sync test that uses it through a sync fixture, and an async one",
        """
import asyncio
import pytest

@pytest.fixture(scope="module")
async def loop_of_module():
    yield asyncio.get_running_loop()

@pytest.fixture
def name(loop_of_module):
    return "Ada"

def test_sync(name, loop_of_module):
    assert name == "Ada"
    assert isinstance(loop_of_module, asyncio.AbstractEventLoop)

async def test_async(name, loop_of_module):
    assert loop_of_module is asyncio.get_running_loop()
""",
        {"passed": 2},
    ),
    Claim(
        "If a task group in a fixture fails, the test that uses it fails at once, with the cause",
        """
import asyncio
import pytest

@pytest.fixture
async def group():
    async with asyncio.TaskGroup() as group:
        yield group

async def fail():
    raise ConnectionError("no route to the cache")

async def test_waits(group):
    group.create_task(fail())
    await asyncio.sleep(100)
""",
        {"failed": 1},
        "ConnectionError: no route to the cache",
    ),
    Claim(
        "What a test sets in a context variable is gone in the next test, on a shared loop too",
        """
import asyncio
from contextvars import ContextVar
import pytest

name = ContextVar("name", default="nobody")

@pytest.fixture(scope="session", autouse=True)
async def shared():
    yield

async def test_sets():
    name.set("Ada")

async def test_later():
    assert name.get() == "nobody"
""",
        {"passed": 2},
        settings={"pytest-asyncio": _SESSION, "pytest-aiohttp": _SESSION},
    ),
    Claim(
        "A task that a test leaves running ends before the next test, on a shared loop too",
        """
import asyncio
import pytest

TASKS = []

@pytest.fixture(scope="session", autouse=True)
async def shared():
    yield

async def test_leaves_a_task():
    TASKS.append(asyncio.create_task(asyncio.sleep(100)))

async def test_later():
    assert TASKS[0].done()
""",
        {"passed": 2},
        settings={"pytest-asyncio": _SESSION, "pytest-aiohttp": _SESSION},
    ),
    Claim(
        "A task that fails unseen fails the test that started it",
        """
import asyncio

async def refresh():
    raise ConnectionError("no route to the cache")

async def test_forgets_its_task():
    asyncio.create_task(refresh())
    await asyncio.sleep(0.01)
""",
        {"failed": 1},
    ),
    Claim(
        "A test that can never end fails by itself",
        """
import asyncio

async def test_waits():
    await asyncio.Event().wait()
""",
        {"failed": 1},
    ),
    Claim(
        "The annotation of a test's parameter is checked against what the fixture gives",
        """
import pytest

@pytest.fixture
async def number() -> int:
    return 1

async def test_number(number: str) -> None:
    assert number
""",
        {},
        'test "test_number" declares "number: str"',
        options=("--check-fixtures=mypy",),
    ),
)
