"""Fixtures requested at run time: where this works, and the errors where it can't."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
import asyncio
import pytest
from looprig.runtime.ask import ask

def here():
    return asyncio.get_running_loop()

@pytest.fixture
async def narrow():
    yield here()

@pytest.fixture(scope="module")
async def wide():
    yield here()
"""


def test_a_sync_test_gets_what_it_asks_for(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
def test_narrow(request):
    assert not request.getfixturevalue("narrow").is_closed()

def test_wide(request):
    assert not request.getfixturevalue("wide").is_closed()

def test_wide_then_narrow(request):
    assert request.getfixturevalue("wide") is request.getfixturevalue("narrow")

async def test_declared(wide):
    assert wide is here()
""",
    ).assert_outcomes(passed=4)


def test_a_sync_test_cannot_have_two_loops(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
def test_it(request, narrow):
    request.getfixturevalue("wide")
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*AskError: test_it asks for fixture wide (scope 'module') at run time, but that lives on another loop*",
            '*@pytest.mark.usefixtures("wide").',
        ]
    )


def test_a_sync_fixture_gets_what_the_loop_of_its_test_can_hold(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
def asks(request):
    return request.getfixturevalue("narrow")

async def test_it(asks):
    assert asks is here()

@pytest.fixture
def asks_wide(request):
    return request.getfixturevalue("wide")

@pytest.mark.usefixtures("wide")
async def test_declared(asks_wide):
    assert asks_wide is here()
""",
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("before", ["", "async def test_before(wide):\n    pass\n"], ids=["first", "alive already"])
def test_what_cannot_share_the_loop_of_an_async_test_is_told(pytester: pytest.Pytester, before: str) -> None:
    """Even if the fixture is already alive, on its own loop."""
    result = run(
        pytester,
        HEAD
        + before
        + """
@pytest.fixture
def asks(request):
    return request.getfixturevalue("wide")

async def test_it(asks):
    assert False, "it would be on another loop"
""",
    )
    result.assert_outcomes(errors=1, passed=1 if before else 0)
    text = output(result)
    assert "test_it asks for fixture wide (scope 'module') at run time, but that lives on another loop" in text
    assert "Declare it, so that the loop plan knows: make it a parameter" in text


@pytest.mark.parametrize("before", ["", "async def test_before(wide):\n    pass\n"], ids=["first", "alive already"])
def test_ask_cannot_give_a_fixture_of_another_loop_either(pytester: pytest.Pytester, before: str) -> None:
    result = run(
        pytester,
        HEAD
        + before
        + """
async def test_it():
    await ask("wide")
""",
    )
    result.assert_outcomes(failed=1, passed=1 if before else 0)
    text = output(result)
    assert "lives on another loop than the test" in text
    # At the line of the request: the frames of pytest and looprig below it explain nothing.
    assert "_pytest" not in text
    assert "looprig/" not in text


def test_getfixturevalue_in_a_running_test_is_told_to_be_awaited(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
async def test_it(request):
    request.getfixturevalue("narrow")

async def test_sync_one(request, tmp_path_factory):
    assert request.getfixturevalue("tmp_path").exists()
""",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*AskError: test_it asked for async fixture narrow with getfixturevalue*",
            '*Write `await looprig.ask("narrow")`*',
        ]
    )
    assert "never awaited" not in output(result)


def test_a_running_test_asks_for_fixtures_and_awaits_them(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
life = []

@pytest.fixture
async def inner():
    await asyncio.sleep(0)
    yield "inner"
    life.append("down inner")

@pytest.fixture
async def outer(inner):
    yield f"outer {inner}"
    life.append("down outer")

async def test_it(wide):
    assert await ask("outer") == "outer inner"
    assert await ask("outer") == "outer inner"
    assert await ask("wide") is here()
    assert (await ask("tmp_path")).exists()
    assert life == []

async def test_after():
    assert life == ["down outer", "down inner"]
""",
    ).assert_outcomes(passed=2)


def test_many_tasks_of_a_test_may_ask_at_once(pytester: pytest.Pytester) -> None:
    """While `wide` is set up for one of them, the others request something narrower."""
    run(
        pytester,
        HEAD
        + """
for number in range(5):
    exec(f'''
@pytest.fixture
async def slow_{number}(wide):
    await asyncio.sleep(0.01)
    return {number}
''')

@pytest.fixture(scope="module")
async def late():
    await asyncio.sleep(0.05)
    return "late"

async def test_it(wide):
    async with asyncio.TaskGroup() as group:
        late = group.create_task(ask("late"))
        tasks = [group.create_task(ask(f"slow_{number}")) for number in range(5)]
    assert late.result() == "late"
    assert [task.result() for task in tasks] == [0, 1, 2, 3, 4]
""",
    ).assert_outcomes(passed=1)


def test_a_fixture_may_ask_while_it_is_set_up(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def asks():
    yield await ask("narrow")

async def test_it(asks):
    assert asks is here()
""",
    ).assert_outcomes(passed=1)


def test_errors_of_what_is_asked_for_reach_the_asker(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def broken():
    raise LookupError("broken")

@pytest.fixture
async def skips():
    pytest.skip("not today")

async def test_it():
    with pytest.raises(LookupError, match="broken"):
        await ask("broken")
    with pytest.raises(pytest.FixtureLookupError):
        await ask("missing")

async def test_skips():
    await ask("skips")
""",
    ).assert_outcomes(passed=1, skipped=1)


def test_an_asker_that_is_cancelled_leaves_nothing_behind(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def slow():
    await asyncio.sleep(0.05)
    yield 1

async def test_it():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ask("slow")
    assert await ask("slow") == 1
""",
    ).assert_outcomes(passed=1)


def test_a_task_that_nobody_waits_for_cannot_ask(pytester: pytest.Pytester) -> None:
    """A fixture's own task runs during many tests, and belongs to none of them."""
    run(
        pytester,
        HEAD
        + """
from looprig.exceptions import AskError

@pytest.fixture(scope="module")
async def server():
    asked = asyncio.Event()

    async def serve():
        await asked.wait()
        with pytest.raises(AskError, match="no test is running and no fixture is being set up"):
            await ask("narrow")
        return "refused"

    yield asked, asyncio.create_task(serve())

async def test_it(server):
    asked, task = server
    asked.set()
    assert await task == "refused"
""",
    ).assert_outcomes(passed=1)
