"""The marker `catch_loop_exceptions` fails the test in which an error is unhandled, and costs little."""

import gc

import pytest

from tests.plugin.suite import output, run

HEAD = """
import asyncio, gc, pytest
pytestmark = pytest.mark.catch_loop_exceptions

class Cycle:
    def __init__(self, held):
        self.held = held
        self.me = self

async def fail():
    raise LookupError("unhandled")

async def failed():
    future = asyncio.get_running_loop().create_future()
    future.set_exception(LookupError("dropped"))
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    return Cycle([future, task])
"""
LOOPS = {
    "asyncio": "",
    "uvloop": "import looprig, uvloop\nlooprig.loop_config(factory=uvloop.new_event_loop)\n",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("age", ["", "gc.collect()"], ids=["young", "old"])
def test_unhandled_errors_in_a_cycle_fail_their_test(pytester: pytest.Pytester, loop: str, age: str) -> None:
    """Only the garbage collector frees them, and it may not run during the test."""
    suite = f"""
async def test_before(): ...

async def test_drops():
    dropped = await failed()
    {age}

async def test_after(): ...
"""
    result = run(pytester, HEAD + loop + suite)
    result.assert_outcomes(passed=2, failed=1)
    text = output(result)
    assert "2 exception(s) reached the loop's exception handler during test_drops" in text
    assert "FAILED test_it.py::test_drops" in text


def test_what_a_wide_fixture_made_counts_where_it_is_dropped(pytester: pytest.Pytester) -> None:
    suite = """
@pytest.fixture(scope="module")
async def held():
    return [await failed()]

async def test_has_it(held): ...

async def test_drops(held):
    held.clear()

async def test_after(held): ...
"""
    result = run(pytester, HEAD + suite)
    result.assert_outcomes(passed=2, failed=1)
    assert "2 exception(s) reached the loop's exception handler during test_drops" in output(result)


def test_what_a_fixture_drops_at_its_end_is_an_error_of_teardown(pytester: pytest.Pytester) -> None:
    suite = """
@pytest.fixture
async def held():
    held = [await failed()]
    yield held
    held.clear()

async def test_has_it(held): ...

async def test_after(): ...
"""
    result = run(pytester, HEAD + suite)
    result.assert_outcomes(passed=2, errors=1)
    assert "2 exception(s) reached the loop's exception handler during test_has_it" in output(result)


def test_a_test_that_fails_anyhow_has_them_as_a_note(pytester: pytest.Pytester) -> None:
    suite = """
async def test_fails():
    await failed()
    assert False
"""
    result = run(pytester, HEAD + suite)
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"E +assert False", r"E +2 exception\(s\) reached the loop's exception handler.*"])


def test_the_whole_heap_is_not_collected_for_each_test(pytester: pytest.Pytester) -> None:
    """With the heap of a real suite, that would make a short test many times slower."""
    suite = """
@pytest.fixture(scope="module", autouse=True)
async def background():
    task = asyncio.create_task(asyncio.sleep(3600))
    yield
    task.cancel()

@pytest.fixture(scope="module", autouse=True)
def collections():
    found = []
    def note(phase, info):
        if phase == "start" and info["generation"] == 2:
            found.append(info)
    gc.disable()
    gc.callbacks.append(note)
    yield
    gc.callbacks.remove(note)
    gc.enable()
    assert not found

@pytest.mark.parametrize("n", range(5))
async def test_does_little(n):
    await asyncio.create_task(asyncio.sleep(0))
"""
    before = list(gc.callbacks)
    run(pytester, HEAD + suite).assert_outcomes(passed=5)
    assert gc.callbacks == before, "the garbage collector is watched for the time of a run"
