"""Suites of other async plugins that looprig runs in their place, unedited."""

from typing import Final

import pytest

from tests.peers.test_owners import beside
from tests.plugin.suite import output, run_apart

OURS: Final = """
import asyncio
import pytest
from looprig.runtime.context import OWNER

def is_ours():
    return OWNER.get(None) is not None

def here():
    return asyncio.get_running_loop()
"""
POLICY: Final = ("-Wignore:'asyncio.:DeprecationWarning",)
ASYNCIO: Final = """
import asyncio
import pytest_asyncio

@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def db():
    yield asyncio.get_running_loop()

@pytest_asyncio.fixture
async def cursor(db):
    yield asyncio.get_running_loop()

@pytest_asyncio.fixture
def sync():
    return asyncio.get_event_loop_policy() is not None
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_what_is_marked_or_decorated_for_pytest_asyncio_is_run(pytester: pytest.Pytester, mode: str) -> None:
    suite = {
        "conftest.py": ASYNCIO,
        "test_it.py": OURS
        + """
@pytest.mark.asyncio(loop_scope="session")
async def test_shares(db, cursor, sync):
    assert is_ours()
    assert db is cursor is here()

@pytest.mark.asyncio
async def test_joins_where_it_would_have_been_on_another_loop(db):
    assert is_ours()
    assert db is here()

@pytest.mark.asyncio
async def test_alone(request):
    assert is_ours()
    assert not here().get_debug()
    assert "_function_scoped_runner" not in request.fixturenames, "pytest-asyncio opened a loop of its own"

def test_sync(): ...

@pytest.mark.asyncio(loop_scope="class")
class TestClass:
    loop = None

    async def test_first(self):
        assert is_ours()
        TestClass.loop = here()

    async def test_second(self):
        assert TestClass.loop is here()
""",
    }
    options = (*beside("asyncio"), "-o", f"asyncio_mode={mode}", *POLICY)
    result = run_apart(pytester, suite, "--adopt", *options)
    result.assert_outcomes(passed=6)
    assert "looprig: runs the tests and fixtures of pytest-asyncio in its place" in output(result)


def test_a_mark_that_a_hook_adds_to_async_tests_counts(pytester: pytest.Pytester) -> None:
    suite = {
        "conftest.py": """
            import pytest
            from pytest_asyncio import is_async_test

            def pytest_collection_modifyitems(items):
                for item in items:
                    if is_async_test(item):
                        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        """,
        "test_it.py": OURS
        + """
loops = set()

@pytest.mark.parametrize("number", range(3))
async def test_it(number):
    assert is_ours()
    loops.add(here())
    assert len(loops) == 1
""",
    }
    result = run_apart(
        pytester, suite, "--adopt=pytest-asyncio", *beside("asyncio"), "-o", "asyncio_mode=auto", *POLICY
    )
    result.assert_outcomes(passed=3)


def test_loop_factories_of_the_hook_are_used_under_their_ids(pytester: pytest.Pytester) -> None:
    suite = {
        "conftest.py": ASYNCIO
        + """
class One(asyncio.SelectorEventLoop): ...
class Two(asyncio.SelectorEventLoop): ...

def pytest_asyncio_loop_factories(config, item):
    return {"one": lambda: One(), "two": lambda: Two()}

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide():
    yield asyncio.get_running_loop()
""",
        "test_it.py": OURS
        + """
@pytest.mark.asyncio
async def test_each():
    assert is_ours()
    assert type(here()).__name__ in {"One", "Two"}

@pytest.mark.asyncio(loop_factories=["two"])
async def test_chosen():
    assert type(here()).__name__ == "Two"

@pytest.mark.asyncio(loop_scope="module")
async def test_wide(wide):
    assert wide is here()

@pytest.mark.asyncio(loop_scope="module")
async def test_wide_too(wide, request):
    assert wide is here()
    assert type(wide).__name__.lower() in request.node.name
""",
    }
    options = (*beside("asyncio"), *POLICY)
    result = run_apart(pytester, suite, "--adopt", *options, "-rp")
    result.assert_outcomes(passed=7)
    ids = {line.split()[1] for line in result.outlines if line.startswith("PASSED")}
    alone = run_apart(pytester, suite, *options, "--collect-only", "-q")
    assert ids == {line for line in alone.outlines if "::" in line}


ANYIO: Final = {
    "test_it.py": OURS
    + """
import anyio

pytestmark = pytest.mark.anyio

@pytest.fixture
async def group():
    async with anyio.create_task_group() as made:
        yield made
        made.cancel_scope.cancel()

async def test_it(group, anyio_backend_name):
    group.start_soon(anyio.sleep, 0)
    assert is_ours() == (anyio_backend_name == "asyncio")
    await anyio.to_thread.run_sync(lambda: None)

@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), ("asyncio", {})])
async def test_options(anyio_backend):
    assert is_ours()
    assert type(here()).__module__.startswith("uvloop") == anyio_backend[1].get("use_uvloop", False)

class TestAsyncio:
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    async def test_it(self, anyio_backend):
        assert is_ours()
"""
}


def test_tests_of_anyio_on_asyncio_are_run(pytester: pytest.Pytester) -> None:
    pytest.importorskip("uvloop")
    result = run_apart(pytester, ANYIO, "--adopt", *beside("anyio"), "-k", "not trio", "-rp")
    result.assert_outcomes(passed=4)
    assert "PASSED test_it.py::test_it[asyncio]" in output(result)


def test_tests_of_anyio_on_trio_are_left_to_it(pytester: pytest.Pytester) -> None:
    pytest.importorskip("trio")
    pytest.importorskip("uvloop")
    result = run_apart(pytester, ANYIO, "--adopt", *beside("anyio"))
    result.assert_outcomes(passed=5)


def test_a_fixture_that_both_backends_share_is_left_to_anyio(pytester: pytest.Pytester) -> None:
    pytest.importorskip("trio")
    suite = (
        OURS
        + """
@pytest.fixture(scope="module")
async def shared():
    return 5

@pytest.mark.anyio
async def test_it(shared, anyio_backend):
    assert not is_ours()
    assert shared == 5
"""
    )
    result = run_apart(pytester, suite, "--adopt", *beside("anyio"))
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["class", "session"])
def test_a_sync_test_with_anyios_mark_of_its_module_shares_fixtures_with_async_ones(
    pytester: pytest.Pytester, scope: str
) -> None:
    suite = (
        OURS
        + f"""
pytestmark = pytest.mark.anyio

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="{scope}", autouse=True)
async def shared():
    yield here()

class TestBoth:
    def test_sync(self, shared):
        assert not shared.is_closed()

    async def test_async(self, shared):
        assert is_ours()
        assert shared is here()
"""
    )
    result = run_apart(pytester, suite, "--adopt", *beside("anyio"))
    result.assert_outcomes(passed=2)


def test_a_suite_of_aiohttps_own_plugin_is_run(pytester: pytest.Pytester) -> None:
    suite = (
        OURS
        + """
from aiohttp import web

@pytest.fixture
def app():
    app = web.Application()
    app.router.add_get("/", lambda request: web.Response(text="hello"))
    return app

@pytest.fixture
def client(loop, aiohttp_client, app):
    return loop.run_until_complete(aiohttp_client(app))

@pytest.fixture
async def made(loop):
    yield here()

async def test_client(client, loop, made):
    assert is_ours()
    assert loop is made is here()
    assert (await client.get("/")).status == 200

async def test_plain():
    assert is_ours()

def test_sync(loop):
    assert loop.run_until_complete(asyncio.sleep(0, 5)) == 5
"""
    )
    name = "aiohttp.pytest_plugin"
    result = run_apart(pytester, suite, "--adopt", *beside(name), "-Wignore", "-rp")
    result.assert_outcomes(passed=3)
    assert "PASSED test_it.py::test_client[pyloop]" in output(result)


def test_an_unknown_plugin_is_refused(pytester: pytest.Pytester) -> None:
    result = run_apart(pytester, "def test_it(): ...", "-o", "adopt=pytest_asyncio")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        "adopt: 'pytest_asyncio' isn't a plugin that looprig can adopt. Give all, or names of aiohttp, "
        "aiomisc, anyio, pytest-asyncio; put paths before --adopt." in output(result)
    )


def test_pytest_asyncios_debug_mode_is_obeyed(pytester: pytest.Pytester) -> None:
    suite = OURS + "@pytest.mark.asyncio\nasync def test_it():\n    assert here().get_debug()\n"
    result = run_apart(pytester, suite, "--adopt", *beside("asyncio"), "--asyncio-debug", *POLICY)
    result.assert_outcomes(passed=1)


def test_a_hook_of_another_folder_does_not_run_an_adopted_test(pytester: pytest.Pytester) -> None:
    hook = """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            print(f"{pyfuncitem.name} is called in {__file__}")
    """
    suite = {
        "one/conftest.py": hook,
        "one/test_one.py": OURS + "@pytest.mark.asyncio\nasync def test_one():\n    assert is_ours()\n",
        "two/test_two.py": OURS + "@pytest.mark.asyncio\nasync def test_two():\n    assert is_ours()\n",
    }
    result = run_apart(pytester, suite, "--adopt", *beside("asyncio"), "-s", *POLICY)
    result.assert_outcomes(passed=2)
    assert output(result).count("test_one is called in") == 1
    assert "test_two is called in" not in output(result)


def test_what_fails_in_the_background_of_an_adopted_test_only_warns(pytester: pytest.Pytester) -> None:
    suite = {
        "test_it.py": OURS
        + """
@pytest.mark.asyncio
async def test_it():
    async def fail():
        raise ValueError("boom")

    assert is_ours()
    asyncio.create_task(fail())
    await asyncio.sleep(0.01)
"""
    }
    result = run_apart(pytester, suite, *beside("asyncio"), "--adopt")
    result.assert_outcomes(passed=1)
    assert "looprig: watchdogs noted 1 finding in 1 test" in output(result)
    run_apart(pytester, suite, *beside("asyncio"), "--adopt", "--loop-watchdogs=error").assert_outcomes(failed=1)
