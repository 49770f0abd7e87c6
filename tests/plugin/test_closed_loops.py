"""If code closes or stops a loop under a fixture, no teardown is lost, and the error names the culprit."""

import pytest

from tests.plugin.suite import output, run

loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])

HEAD = """
import asyncio
import pytest

log = []

def expect(*names):
    assert sorted(log) == sorted(names)
    log.clear()
"""


@loops
def test_a_loop_that_a_test_closed_loses_no_teardown(pytester: pytest.Pytester, loop: str) -> None:
    """Everything that can still run does, and the error names the fixture and what closed its loop."""
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def shared():
    yield
    await asyncio.sleep(0)
    log.append("shared")

@pytest.fixture
async def narrow(shared):
    async with asyncio.timeout(60):
        yield
    log.append("narrow")

def test_closes_the_loop(narrow, loop):
    loop.close()

async def test_needs_the_loop(shared): ...

def test_closes_its_own(loop):
    loop.close()

def test_narrow_was_torn_down():
    expect("narrow")
""",
        f"--loop-factory={loop}",
    )
    result.assert_outcomes(passed=3, failed=1, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*FixtureError: The loop of fixture narrow was closed by test_closes_the_loop before *",
            "*FixtureError: The loop of fixture shared was closed by test_closes_the_loop before *",
            "*FixtureError: The loop of test_needs_the_loop is closed: test_closes_the_loop closed it *",
        ]
    )


def test_a_teardown_that_fails_without_its_loop_is_reported_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def bound():
    future = asyncio.get_running_loop().create_future()
    yield
    await future

@pytest.fixture
def closes(bound, loop):
    yield
    loop.close()

def test_it(closes): ...
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    text = output(result)
    assert "The loop of fixture bound was closed by closes before" in text
    assert "attached to a different loop" in text


def test_a_loop_that_code_stops_goes_on(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def stops():
    asyncio.get_running_loop().stop()
    yield
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    log.append("down")

async def test_it(stops):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.001)
    asyncio.get_running_loop().stop()

def test_is_down():
    expect("down")
""",
    ).assert_outcomes(passed=2)
