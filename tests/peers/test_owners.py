"""Beside other async plugins, each test and each fixture is run by exactly one plugin."""

from importlib.util import find_spec
from typing import Final

import pytest

from tests.plugin.suite import output, run_apart

HEAD: Final = """
import asyncio
import contextvars
import pytest
from looprig.runtime.context import OWNER

var = contextvars.ContextVar("var", default="unset")

def is_ours():
    return OWNER.get(None) is not None

def here():
    return asyncio.get_running_loop()
"""
PLUGINS: Final = {
    "asyncio": "pytest_asyncio",
    "anyio": "anyio",
    "aiohttp": "pytest_aiohttp",
    "trio": "pytest_trio",
    "aiomisc": "aiomisc_pytest",
    "alt_pytest_asyncio.enable": "alt_pytest_asyncio",
    "aiohttp.pytest_plugin": "aiohttp",
    "alt_pytest_asyncio": "alt_pytest_asyncio",
}


def beside(*names: str) -> tuple[str, ...]:
    """Return the options that load other plugins, by the names of their entry points."""
    for name in names:
        if find_spec(PLUGINS[name]) is None:
            pytest.skip(f"{PLUGINS[name]} is not installed")
    options = [word for name in names for word in ("-p", name)]
    if "asyncio" in names:  # it warns if this isn't set
        options += ["-o", "asyncio_default_fixture_loop_scope=function"]
    return tuple(options)


ALL: Final = ("asyncio", "anyio", "aiohttp")


def test_pytest_asyncio_owns_what_is_marked_or_decorated_as_its_own(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
import pytest_asyncio

@pytest.fixture
def sync():
    var.set("by a sync fixture")

@pytest_asyncio.fixture
async def theirs(sync):
    assert not is_ours()
    var.set("by a fixture of theirs")
    yield here()

@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def theirs_wide():
    assert not is_ours()
    yield here()

@pytest.fixture
async def ours():
    assert is_ours()
    yield here()

@pytest.mark.asyncio
async def test_theirs(theirs):
    assert not is_ours()
    assert theirs is here()
    assert var.get() == "by a fixture of theirs"

@pytest.mark.asyncio(loop_scope="module")
async def test_theirs_wide(theirs_wide):
    assert not is_ours()
    assert theirs_wide is here()

async def test_ours(ours):
    assert is_ours()
    assert ours is here()

def test_sync(theirs, ours):
    assert theirs is not ours
""",
        *beside("asyncio"),
    )
    result.assert_outcomes(passed=4)


def test_anyio_owns_what_uses_its_marker_or_its_backend(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
def sync():
    var.set("by a sync fixture")

@pytest.fixture
async def either(sync):
    yield is_ours(), here()

@pytest.mark.anyio
async def test_theirs(either):
    assert either == (False, here())
    assert not is_ours()
    assert var.get() == "by a sync fixture"

async def test_theirs_by_the_backend(anyio_backend, either):
    assert either == (False, here())
    assert not is_ours()

async def test_ours(either):
    assert either == (True, here())
    assert is_ours()
    assert var.get() == "by a sync fixture"
""",
        *beside("anyio"),
    )
    result.assert_outcomes(passed=3)


def test_anyio_keeps_its_backends(pytester: pytest.Pytester) -> None:
    pytest.importorskip("trio")
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest
        import sniffio

        @pytest.mark.anyio
        async def test_theirs(anyio_backend_name):
            assert sniffio.current_async_library() == anyio_backend_name

        async def test_ours():
            assert asyncio.current_task()
        """,
        *beside("anyio"),
    )
    result.assert_outcomes(passed=3)


def test_pytest_trio_owns_what_is_marked(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
import trio

@pytest.mark.trio
async def test_theirs(nursery):
    await trio.lowlevel.checkpoint()

async def test_ours():
    assert here()
    assert is_ours()
""",
        *beside("trio"),
        "-Wdefault",
    )
    result.assert_outcomes(passed=2)


def test_pytest_aiohttp_keeps_its_fixtures(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
from aiohttp import web

@pytest.mark.asyncio
async def test_theirs(aiohttp_client):
    client = await aiohttp_client(web.Application())
    assert (await client.get("/")).status == 404
    assert not is_ours()

async def test_ours():
    assert is_ours()
""",
        *beside("asyncio", "aiohttp"),
    )
    result.assert_outcomes(passed=2)


def test_all_of_them_at_once(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
import pytest_asyncio

@pytest.fixture(scope="module")
async def ours():
    yield here()

@pytest_asyncio.fixture
async def theirs():
    yield here()

async def test_ours(ours):
    assert ours is here()
    assert is_ours()

@pytest.mark.asyncio
async def test_asyncio(theirs):
    assert theirs is here()
    assert not is_ours()

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio(anyio_backend):
    assert not is_ours()

async def test_ours_again(ours):
    assert ours is here()
""",
        *beside(*ALL),
    )
    result.assert_outcomes(passed=4)


def test_a_fixture_of_theirs_is_looprigs_where_it_is_one_tests_own(pytester: pytest.Pytester) -> None:
    """As in an unmarked test that uses `aiohttp_client`."""
    result = run_apart(
        pytester,
        HEAD
        + """
import pytest_asyncio
from aiohttp import web

@pytest_asyncio.fixture
async def either():
    yield is_ours(), here()

async def test_ours(aiohttp_client, either):
    client = await aiohttp_client(web.Application())
    assert (await client.get("/")).status == 404
    assert either == (True, here())

@pytest.mark.asyncio
async def test_theirs(aiohttp_client, either):
    assert either == (False, here())

async def test_ours_alone(either):
    assert either == (True, here())

def test_sync(either):
    assert not either[0]
""",
        *beside("asyncio", "aiohttp"),
    )
    result.assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("suite", "told", "plugin"),
    [
        (
            """
import pytest
import pytest_asyncio

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs():
    yield 1

@pytest.fixture
def between(theirs):
    return theirs

async def test_ours(between):
    pass
""",
            """\
test_ours is run by looprig, and theirs, which it uses, by pytest-asyncio: they would be on different loops.
  test_it.py:13: test_ours
  test_it.py:5: theirs
Let one plugin run both: declare theirs with @pytest.fixture, or mark test_ours with @pytest.mark.asyncio.""",
            "asyncio",
        ),
        (
            """
import pytest

@pytest.fixture
async def ours():
    yield 1

@pytest.mark.asyncio
async def test_theirs(ours):
    pass
""",
            """\
test_theirs is run by pytest-asyncio, and ours, which it uses, by looprig: they would be on different loops.
  test_it.py:8: test_theirs
  test_it.py:4: ours
Let one plugin run both: remove @pytest.mark.asyncio from test_theirs, or declare ours with @pytest_asyncio.fixture.""",
            "asyncio",
        ),
        (
            """
import pytest
import pytest_asyncio

@pytest_asyncio.fixture
async def theirs():
    yield 1

@pytest.fixture
async def ours(theirs):
    yield theirs

def test_sync(ours):
    pass
""",
            """\
ours is run by looprig, and theirs, which it uses, by pytest-asyncio: they would be on different loops.
  test_it.py:9: ours
  test_it.py:5: theirs
Let one plugin run both: declare theirs with @pytest.fixture, or declare ours with @pytest_asyncio.fixture.""",
            "asyncio",
        ),
        (
            """
import pytest

@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="module")
async def shared():
    yield 1

@pytest.mark.anyio
async def test_theirs(shared):
    pass

async def test_ours(shared):
    pass
""",
            """\
shared (scope 'module') is shared by test_theirs, where anyio runs it, and test_ours, where looprig does.
  test_it.py:8: shared
  test_it.py:12: test_theirs
  test_it.py:16: test_ours
Let one plugin run both tests: remove @pytest.mark.anyio from test_theirs, or mark test_ours with \
@pytest.mark.anyio.""",
            "anyio",
        ),
    ],
    ids=["test of ours", "test of theirs", "fixture of ours", "shared fixture"],
)
def test_what_two_owners_would_run_is_refused(pytester: pytest.Pytester, suite: str, told: str, plugin: str) -> None:
    result = run_apart(pytester, f"{suite}\ndef test_other(): pass\n", *beside(plugin))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["passed"] == 1
    assert told in output(result)


def test_their_markers_mean_nothing_where_they_are_not_active(pytester: pytest.Pytester) -> None:
    """A suite that comes from such a plugin runs unchanged once the plugin is off."""
    result = run_apart(
        pytester,
        HEAD
        + """
@pytest.fixture
async def ours():
    yield here()

@pytest.mark.asyncio
async def test_it(ours):
    assert ours is here()
    assert is_ours()
""",
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
