"""A test finds its loop whatever is collected beside it, and sync suites pay nothing for that."""

import pytest

from tests.plugin.suite import output, run, run_apart, write

CONFTEST = """
import asyncio
from contextvars import ContextVar
import pytest

var = ContextVar("var", default="unset")

@pytest.fixture(scope="session")
async def wide():
    yield asyncio.get_running_loop()

@pytest.fixture
async def narrow(wide):
    assert wide is asyncio.get_running_loop()
    var.set("set")
    yield wide
"""
SYNC = """
import asyncio
import pytest

def test_asks(request):
    assert not request.getfixturevalue("wide").is_closed()

def test_sees_what_it_set(request):
    request.getfixturevalue("narrow")
    assert request.getfixturevalue("getvar")() == "set"

@pytest.fixture
def getvar():
    import conftest
    return conftest.var.get

def test_asks_for_a_loop(request):
    assert not request.getfixturevalue("loop").is_closed()
    assert request.getfixturevalue("event_loop") is request.getfixturevalue("loop")

@pytest.fixture(params=["narrow", "wide"])
def either(request):
    return request.getfixturevalue(request.param)

def test_through_a_fixture(either):
    assert not either.is_closed()
"""


@pytest.mark.parametrize("beside", ["", "async def test_beside(): ..."], ids=["alone", "beside an async test"])
@pytest.mark.parametrize("only", ["", "test_asks", "test_sees_what_it_set", "test_asks_for_a_loop"])
def test_a_sync_test_that_asks_finds_its_loop(pytester: pytest.Pytester, beside: str, only: str) -> None:
    result = run_apart(
        pytester,
        {"conftest.py": CONFTEST, "test_it.py": SYNC, "test_beside.py": beside},
        *(["-k", only] if only else []),
    )
    assert result.ret == 0, output(result)


@pytest.mark.parametrize("name", ["loop", "event_loop", "entrypoint"])
def test_what_looprig_brings_can_be_asked_for_in_a_sync_suite(pytester: pytest.Pytester, name: str) -> None:
    run_apart(
        pytester,
        f"""
        def test_first(): ...

        def test_asks(request):
            request.getfixturevalue({name!r})

        def test_asks_again(request):
            request.getfixturevalue({name!r})
            assert not request.getfixturevalue("loop").is_closed()
        """,
    ).assert_outcomes(passed=3)


def test_an_installed_plugin_with_async_fixtures_wakes_nothing_until_they_are_asked_for(
    pytester: pytest.Pytester,
) -> None:
    write(
        pytester,
        {
            "site-packages/installed.py": """
            import asyncio
            import pytest

            @pytest.fixture(scope="session")
            async def wide():
                yield asyncio.get_running_loop()
            """,
            "conftest.py": """
            pytest_plugins = ["installed"]
            """,
            "test_it.py": """
            def test_first(pytestconfig):
                assert not pytestconfig.pluginmanager.has_plugin("looprig.runner")

            def test_asks(request, pytestconfig):
                assert not request.getfixturevalue("wide").is_closed()
                assert pytestconfig.pluginmanager.has_plugin("looprig.runner")
                assert request.getfixturevalue("loop") is request.getfixturevalue("wide")

            def test_asks_again(request):
                assert not request.getfixturevalue("wide").is_closed()
            """,
        },
    )
    run_apart(pytester, {}, "-o", "pythonpath=site-packages").assert_outcomes(passed=3)


DOCTESTS = '''
"""
>>> loop is getfixture("wide")
True
>>> getfixture("narrow") is loop
True
>>> import asyncio; asyncio.run(asyncio.sleep(0, 3))
3
"""
'''
AUTOUSE = """
@pytest.fixture(autouse=True)
async def around(wide, doctest_namespace):
    assert wide is asyncio.get_running_loop()
    doctest_namespace["loop"] = wide
    yield
    assert wide is asyncio.get_running_loop()
"""


@pytest.mark.parametrize("beside", ["", "async def test_beside(wide): ..."], ids=["alone", "beside an async test"])
def test_a_doctest_uses_async_fixtures(pytester: pytest.Pytester, beside: str) -> None:
    result = run_apart(
        pytester,
        {"conftest.py": CONFTEST + AUTOUSE, "lib.py": DOCTESTS, "test_beside.py": beside},
        "--doctest-modules",
    )
    result.assert_outcomes(passed=2 if beside else 1)


def test_a_doctest_sees_what_its_fixtures_set(pytester: pytest.Pytester) -> None:
    files = {
        "conftest.py": CONFTEST + "\n@pytest.fixture(autouse=True)\nasync def around(narrow): ...\n",
        "words.txt": ">>> import conftest; conftest.var.get()\n'set'\n",
    }
    run_apart(pytester, files, "--doctest-glob=*.txt").assert_outcomes(passed=1)


def test_an_error_about_a_doctest_says_where_it_is(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        {
            "conftest.py": CONFTEST,
            "lib.py": '"""\n>>> import asyncio\n>>> async def f(): getfixture("wide")\n>>> asyncio.run(f())\n"""\n',
        },
        "--doctest-modules",
    )
    result.assert_outcomes(failed=1)
    assert "lib asked for async fixture wide with getfixturevalue while its loop was running" in output(result)
    assert "lib.py:1: lib" in output(result)


def test_items_of_other_plugins_use_async_fixtures(pytester: pytest.Pytester) -> None:
    conftest = """
class File(pytest.File):
    def collect(self):
        yield Item.from_parent(self, name="item")

class Item(pytest.Item):
    obj = None

    def __init__(self, **options):
        super().__init__(**options)
        self._fixtureinfo = self.session._fixturemanager.getfixtureinfo(node=self, func=None, cls=None)
        self.fixturenames = self._fixtureinfo.names_closure
        self.fixturenames.append("wide")
        self.funcargs = {}
        from _pytest.fixtures import TopRequest
        self._request = TopRequest(self, _ispytest=True)

    def setup(self):
        self._request._fillfixtures()

    def runtest(self):
        assert self._request.getfixturevalue("narrow") is self.funcargs["wide"]

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".item":
        return File.from_parent(parent, path=file_path)
"""
    write(pytester, {"test_it.item": ""})
    run_apart(pytester, {"conftest.py": CONFTEST + conftest}).assert_outcomes(passed=1)


def test_a_sync_suite_loads_next_to_nothing(pytester: pytest.Pytester) -> None:
    """Fewer than eight modules, whatever it requests at run time. Nothing is called for its fixtures."""
    result = run_apart(
        pytester,
        {
            "conftest.py": """
            import sys

            def pytest_unconfigure(config):
                assert sum(name.partition(".")[0] == "looprig" for name in sys.modules) < 8
                # From Python 3.14 on pdb imports it, which pytest imports.
                assert "asyncio" not in sys.modules or sys.version_info >= (3, 14)
                manager = config.pluginmanager
                called = manager.hook.pytest_fixture_setup.get_hookimpls()
                assert not any("looprig" in (each.plugin_name or "") for each in called)
            """,
            "test_it.py": """
            import functools
            import pytest

            @pytest.fixture
            def number(request):
                return request.getfixturevalue("other")

            @pytest.fixture
            def other():
                return 3

            def wrapped(function):
                @functools.wraps(function)
                def wrapper(*args, **kwargs):
                    return function(*args, **kwargs)
                return wrapper

            @wrapped
            def test_it(number):
                assert number == 3

            @pytest.mark.parametrize("one", [1, 2])
            def test_parametrized(one): ...

            class TestIt:
                @staticmethod
                def test_static(): ...

                def test_method(self): ...
            """,
        },
    )
    result.assert_outcomes(passed=5)
    assert result.ret == 0, output(result)


ADDS = {
    "at collection": "def pytest_itemcollected(item):\n    add(item)\n",
    "later": "def pytest_collection_modifyitems(items):\n    for item in items:\n        add(item)\n",
    "first": "@pytest.hookimpl(tryfirst=True)\n"
    "def pytest_collection_modifyitems(items):\n"
    "    for item in items:\n"
    "        add(item)\n",
    "last": "@pytest.hookimpl(trylast=True)\n"
    "def pytest_collection_modifyitems(items):\n"
    "    for item in items:\n"
    "        add(item)\n",
    "around the others": "@pytest.hookimpl(wrapper=True)\n"
    "def pytest_collection_modifyitems(items):\n"
    "    result = yield\n"
    "    for item in items:\n"
    "        add(item)\n"
    "    return result\n",
    "a new list": "def pytest_itemcollected(item):\n    item.fixturenames = [*item.fixturenames]\n    add(item)\n",
}


@pytest.mark.parametrize("hook", ADDS)
@pytest.mark.parametrize("name", ["wide", "narrow", "over"])
def test_fixtures_that_hooks_add_are_in_the_plan(pytester: pytest.Pytester, hook: str, name: str) -> None:
    conftest = f"""
@pytest.fixture(scope="session")
def over(wide):
    return wide

def add(item):
    if item.name != "test_none":
        item.fixturenames.append({name!r})

{ADDS[hook]}
"""
    suite = f"""
import asyncio
import pytest

async def test_it(request):
    assert asyncio.get_running_loop() is request.node.funcargs[{name!r}]

@pytest.mark.parametrize("number", [1, 2])
async def test_parametrized(request, number):
    assert asyncio.get_running_loop() is request.node.funcargs[{name!r}]

def test_sync(request):
    assert not request.node.funcargs[{name!r}].is_closed()

async def test_none(): ...
"""
    result = run(pytester, {"conftest.py": CONFTEST + conftest, "test_it.py": suite}, "--explain-loops")
    result.assert_outcomes(passed=5)
    assert "session loop: " in output(result)
    assert "1 test has a loop of its own" in output(result)


def test_hooks_that_deselect_move_no_loop(pytester: pytest.Pytester) -> None:
    conftest = """
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if item.name != "test_joins"]

@pytest.fixture(scope="session")
async def other(): ...
"""
    suite = """
async def test_joins(wide, other): ...
async def test_wide(wide): ...
async def test_other(other): ...
"""
    result = run(pytester, {"conftest.py": CONFTEST + conftest, "test_it.py": suite}, "--explain-loops", "-k", "wide")
    result.assert_outcomes(passed=1, deselected=1)
    assert output(result).count(", because of ") == 1
    assert "session loop: 3 tests in test_it.py and 2 fixtures, because of " in output(result)


def test_a_service_that_a_test_imports_and_asks_for_gets_fixtures_of_the_module(pytester: pytest.Pytester) -> None:
    """Nothing is declared while tests are collected, so nothing was looked at."""
    result = run_apart(
        pytester,
        {
            "later.py": """
            from dataclasses import dataclass
            from looprig import service_fixture

            @service_fixture(scope="function")
            @dataclass(kw_only=True)
            class Rest:
                size: int = 1

                async def start(self) -> None: ...
                async def stop(self) -> None: ...
            """,
            "test_it.py": """
            import sys
            import pytest

            @pytest.fixture
            def size() -> int:
                return 7

            async def test_it() -> None:
                assert "looprig.declare" not in sys.modules
                from looprig import ask
                from later import Rest
                assert (await ask(Rest)).size == 7
            """,
        },
    )
    result.assert_outcomes(passed=1)
