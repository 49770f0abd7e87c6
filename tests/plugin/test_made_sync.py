"""Async tests and fixtures behind sync functions: decorators, hooks and options that don't know `async def`."""

import sys
from subprocess import PIPE
from subprocess import run as run_process

import pytest

from tests.plugin.suite import HYPOTHESIS, OPTIONS, output, run, write

HEAD = """
import asyncio
import functools
import pytest

def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

def bare(function):
    def wrapper():
        return function()
    return wrapper

def by_itself(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return asyncio.run(function(*args, **kwargs))
    return wrapper

def dropping(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        function(*args, **kwargs)
    return wrapper

class Decorated:
    def __init__(self, function):
        functools.update_wrapper(self, function)

    async def __call__(self, *args, **kwargs):
        return await self.__wrapped__(*args, **kwargs)

ran = []
"""


def test_a_wrapped_test_runs_on_its_loop(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def wide():
    yield asyncio.get_running_loop()

@logged
async def test_function(wide, tmp_path):
    assert wide is asyncio.get_running_loop()
    ran.append("function")

class TestIt:
    @logged
    @logged
    async def test_method(self, wide):
        assert wide is asyncio.get_running_loop()
        ran.append("method")

@Decorated
async def test_object(wide):
    assert wide is asyncio.get_running_loop()
    ran.append("object")

@bare
async def test_bare():
    await asyncio.sleep(0)
    ran.append("bare")

async def with_argument(number):
    await asyncio.sleep(0)
    ran.append("partial")

test_partial = functools.partial(logged(with_argument), number=7)

def test_last():
    assert ran == ["function", "method", "object", "bare", "partial"]
""",
    ).assert_outcomes(passed=6)


@pytest.mark.parametrize("decorator", ["logged", "bare", "Decorated"])
def test_a_wrapped_test_fails_as_it_should(pytester: pytest.Pytester, decorator: str) -> None:
    """Even if nothing else in the suite is async."""
    result = run(
        pytester,
        HEAD
        + f"""
@{decorator}
async def test_it():
    await asyncio.sleep(0)
    assert 1 == 2
""",
    )
    result.assert_outcomes(failed=1)
    assert "assert 1 == 2" in output(result)
    assert "natively" not in output(result)


def test_wrapped_fixtures_are_run(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
from contextlib import asynccontextmanager
from contextvars import ContextVar

var = ContextVar("var")

@pytest.fixture(scope="module")
@logged
async def number():
    ran.append("number")
    return asyncio.get_running_loop()

@pytest.fixture(scope="module")
@logged
async def generated(number):
    var.set("set")
    try:
        yield asyncio.get_running_loop()
    finally:
        ran.append("ended")

@pytest.fixture
@by_itself
async def own():
    return 1

@pytest.fixture(scope="session")
@asynccontextmanager
async def manager():
    yield 5

@pytest.fixture
def coroutine():
    async def answer():
        return 42
    return answer()

@pytest.fixture
@Decorated
async def decorated():
    return 3

async def test_async(number, generated, own, manager, coroutine, decorated):
    assert number is generated is asyncio.get_running_loop()
    assert (own, decorated, var.get(), await coroutine) == (1, 3, "set", 42)
    async with manager as value:
        assert value == 5

def test_sync(number, generated):
    assert number is generated
    assert ran == ["number"]
    assert var.get() == "set"

def test_asks(request):
    assert request.getfixturevalue("number") is request.getfixturevalue("generated")

@pytest.fixture(scope="session", autouse=True)
def last():
    yield
    assert ran == ["number", "ended"]
""",
        "--explain-loops",
    ).assert_outcomes(passed=3)


def test_a_decorator_that_runs_the_test_itself_is_left_to_do_so(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@by_itself
async def test_it(tmp_path):
    await asyncio.sleep(0)
    ran.append("it")

@by_itself
async def test_fails():
    await asyncio.sleep(0)
    assert False

def test_last():
    assert ran == ["it"]
""",
    ).assert_outcomes(passed=2, failed=1)


@pytest.mark.parametrize("around", ["functools.partial", "Dropping"])
def test_a_coroutine_that_no_function_drops_is_an_error_too(pytester: pytest.Pytester, around: str) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
class Dropping:
    def __init__(self, function):
        functools.update_wrapper(self, function)

    def __call__(self):
        self.__wrapped__()

async def it():
    assert False

test_it = {around}(dropping(it))
""",
    )
    result.assert_outcomes(failed=1)
    assert "test_it did not run: the function around it called it" in output(result)
    assert ": the function around it" in output(result)


def test_a_dropped_coroutine_is_an_error(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@dropping
async def test_it():
    assert False
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [
            r"E +looprig.DeclarationError: test_it did not run: the function around it called it, as if it were sync, "
            "and dropped the coroutine.",
            r" +test_it.py:\d+: test_it",
            r" +test_it.py:\d+: the function around it",
            r" +Have the decorator's wrapper return what the test returns, or make the wrapper an `async def` that "
            "awaits the test. If a plugin put the function there, keep that plugin away from async tests.",
        ]
    )


HOOKS = {
    "before the plan": "def pytest_itemcollected(item):\n    item.obj = in_threads(item.obj)\n",
    "after the plan": "def pytest_collection_finish(session):\n"
    "    for item in session.items:\n"
    "        item.obj = in_threads(item.obj)\n",
    "at the call": "@pytest.hookimpl(wrapper=True)\n"
    "def pytest_pyfunc_call(pyfuncitem):\n"
    "    pyfuncitem.obj = in_threads(pyfuncitem.obj)\n"
    "    return (yield)\n",
    "first at the call": "@pytest.hookimpl(tryfirst=True)\n"
    "def pytest_pyfunc_call(pyfuncitem):\n"
    "    pyfuncitem.obj = in_threads(pyfuncitem.obj)\n",
}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("wraps", [True, False], ids=["wraps", "bare"])
def test_a_hook_that_makes_a_test_sync_makes_it_no_pass(pytester: pytest.Pytester, hook: str, wraps: bool) -> None:
    """pytest-run-parallel does that: it calls the test in its own threads."""
    conftest = f"""
import functools
import threading
import pytest

def in_threads(function):
    {"@functools.wraps(function)" if wraps else ""}
    def inner(*args, **kwargs):
        threads = [threading.Thread(target=lambda: function(*args, **kwargs) and None) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return inner

{HOOKS[hook]}
"""
    suite = "async def test_it():\n    assert False\n"
    result = run(pytester, {"conftest.py": conftest, "test_it.py": suite})
    result.assert_outcomes(failed=1)
    assert "test_it did not run: the function around it called it" in output(result)


@pytest.mark.parametrize("decorator", ["", "@logged\n", "class TestIt:\n    "])
def test_the_debugger_stops_at_the_first_line_and_stays_with_the_test(
    pytester: pytest.Pytester, decorator: str
) -> None:
    write(
        pytester,
        {
            "test_it.py": HEAD
            + decorator
            + f"""async def test_it({"self" if "class" in decorator else ""}):
        number = 3
        await asyncio.sleep(0.01)
        number = 4
        assert number == 5
""".replace("        ", "        " if "class" in decorator else "    ").replace("async def", "async def")
        },
    )
    process = run_process(
        [sys.executable, "-m", "pytest", *OPTIONS, "--trace"],
        cwd=pytester.path,
        input="n\nn\nn\nprint('it is', number)\nc\n",
        stdout=PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 1, process.stdout
    assert "test_it()" in process.stdout
    assert "-> number = 3" in process.stdout
    assert "it is 4" in process.stdout
    assert "assert 4 == 5" in process.stdout


def test_hypothesis_runs_what_a_wrapper_hides(pytester: pytest.Pytester) -> None:
    pytest.importorskip("hypothesis")
    result = run(
        pytester,
        HEAD
        + """
from hypothesis import given, settings, strategies as st

@settings(database=None, deadline=None)
@given(number=st.integers(0, 1000))
@logged
async def test_it(number):
    await asyncio.sleep(0)
    assert number < 17
""",
        *HYPOTHESIS,
    )
    result.assert_outcomes(failed=1)
    assert "number=17" in output(result)


def test_an_async_generator_behind_a_wrapper_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, HEAD + "@logged\nasync def test_it():\n    yield\n")
    result.assert_outcomes(failed=1)
    assert "test_it is an async generator: pytest would never run it." in output(result)


def test_a_wrapped_fixture_that_is_refused_leaves_no_coroutine(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
@logged
async def number():
    return 7

async def test_asks(request):
    request.getfixturevalue("number")

def test_declares(number):
    assert number == 7
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert "AskError" in output(result)


def test_a_sync_test_that_returns_a_coroutine_is_told_to_be_async(pytester: pytest.Pytester) -> None:
    """If it uses something on a loop. pytest would say to install a plugin."""
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def number():
    return 7

async def check(number): ...

def test_it(number):
    return check(number)
""",
    )
    result.assert_outcomes(failed=1)
    shown = output(result)
    assert "test_it returned something that has to be awaited, such as a coroutine, and nothing awaits it." in shown
    assert "Write `async def test_it`, and `await` in place of `return`." in shown
    assert "natively" not in shown
    assert "never awaited" not in shown
