"""The suites that are timed: the same tests, written sync and in the spelling of each contender.

Pure: `make_suite` returns `{path: source}`. A module has a hundred tests. An async test awaits nothing, so the whole
difference from sync is the contender's own cost.

Layouts: `plain` no fixtures; `joined` one session-scoped autouse generator fixture, so that all tests share
its loop; `three` a chain of three function-scoped generator fixtures; `three-joined` both; `mixed` such a chain, with
the first one session-scoped and the second module-scoped.
Invariant: within a layout, the contenders differ only in ini lines, and in the fixture that gives anyio a backend and
aiomisc a wider loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

Layout: TypeAlias = Literal["plain", "joined", "three", "three-joined", "mixed"]

PER_MODULE: Final = 100
_JOINED: Final = """
@pytest.fixture(scope="session", autouse=True)
{define} joined():
    yield 1
"""
_THREE: Final = """
@pytest.fixture(scope="{first}")
{define} alpha():
    yield 1


@pytest.fixture(scope="{second}")
{define} beta(alpha):
    yield alpha + 1


@pytest.fixture
{define} gamma(beta):
    yield beta + 1
"""
_ANYIO: Final = """
@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"
"""
_AIOMISC_LOOP: Final = """
@pytest.fixture(scope="session")
def event_loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()
"""
_SESSION_LOOP: Final = "asyncio_default_fixture_loop_scope = session\nasyncio_default_test_loop_scope = session\n"


def ini(contender: str, *, joined: bool) -> str:
    """Return the `pytest.ini` that makes a contender run async tests without a marker."""
    lines: Mapping[str, str] = {
        "pytest-asyncio": "asyncio_mode = auto\n" + _SESSION_LOOP * joined,
        "pytest-aiohttp": "asyncio_mode = auto\n" + _SESSION_LOOP * joined,
        "anyio": "anyio_mode = auto\n",
    }
    return "[pytest]\n" + lines.get(contender, "")


def make_suite(layout: Layout, contender: str, tests: int) -> dict[str, str]:
    """Return `tests` tests in `layout`, in the spelling of `contender`; `sync` has them without `async`."""
    joined = layout in ("joined", "three-joined", "mixed")
    mixed = layout == "mixed"
    define = "def" if contender == "sync" else "async def"
    parts = [_JOINED] * (joined and not mixed) + [_THREE] * (layout not in ("plain", "joined"))
    parts += [_ANYIO] * (contender == "anyio") + [_AIOMISC_LOOP] * (contender == "aiomisc" and joined)
    files = {"pytest.ini": ini(contender, joined=joined)}
    if parts:
        scopes = {"first": "session", "second": "module"} if mixed else {"first": "function", "second": "function"}
        source = "import asyncio\n\nimport pytest\n\n" + "\n".join(parts)
        for name, value in {"define": define, **scopes}.items():
            source = source.replace(f"{{{name}}}", value)
        files["conftest.py"] = source
    for first in range(0, tests, PER_MODULE):
        numbers = range(first, min(first + PER_MODULE, tests))
        body = "\n\n".join(_test(layout, define, number) for number in numbers)
        files[f"test_{first // PER_MODULE:04}.py"] = body
    return files


def _test(layout: Layout, define: str, number: int) -> str:
    if layout not in ("plain", "joined"):
        return f"{define} test_{number}(alpha, beta, gamma):\n    assert (alpha, beta, gamma) == (1, 2, 3)\n"
    return f"{define} test_{number}():\n    value = {number}\n    assert value + 1 == {number + 1}\n"
