"""Left-over tasks end with the test or fixture that started them, whatever factory created them."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
import asyncio
import pytest

ended = []

async def linger(name):
    try:
        await asyncio.sleep(3600)
    finally:
        ended.append(name)

def left():
    return [t for t in asyncio.all_tasks() if getattr(t.get_coro(), "__name__", "") == "linger"]

@pytest.fixture
async def fixture():
    task = asyncio.create_task(linger("fixture"))
    await asyncio.sleep(0)
    yield
    assert not task.done()

@pytest.fixture(autouse=True, scope="module")
async def shared():
    yield
"""
TESTS = """
async def test_leaves(fixture):
    asyncio.create_task(linger("test"))
    await asyncio.sleep(0)

async def test_finds_none():
    assert not left()
    assert ended == ["fixture", "test"]
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_are_ended_at_once(pytester: pytest.Pytester, loop: str) -> None:
    run(pytester, HEAD + TESTS, f"--loop-factory={loop}").assert_outcomes(passed=2)


def test_are_ended_where_the_suite_has_a_task_factory(pytester: pytest.Pytester) -> None:
    factory = """
class Task(asyncio.Task): ...

@pytest.fixture(autouse=True, scope="module")
async def factory():
    asyncio.get_running_loop().set_task_factory(lambda loop, coro, **options: Task(coro, loop=loop, **options))
    yield

async def test_uses_it(factory):
    assert type(asyncio.create_task(linger("made"))) is Task

def test_is_over():
    ended.clear()
"""
    run(pytester, HEAD + factory + TESTS).assert_outcomes(passed=4)


def test_are_ended_where_a_test_has_a_task_factory_for_a_while(pytester: pytest.Pytester) -> None:
    for_a_while = """
async def test_leaves(fixture):
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options))
    asyncio.create_task(linger("test"))
    loop.set_task_factory(before)
    await asyncio.sleep(0)

async def test_finds_none():
    assert not left()
    assert ended == ["fixture", "test"]
"""
    run(pytester, HEAD + for_a_while).assert_outcomes(passed=2)


def test_are_ended_where_a_fixture_has_a_task_factory_while_it_lives(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def factory():
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options))
    asyncio.create_task(linger("factory"))
    yield
    loop.set_task_factory(before)

async def test_leaves(factory):
    await asyncio.sleep(0)

async def test_finds_none():
    assert not left()
    assert ended == ["factory"]
""",
    ).assert_outcomes(passed=2)


def test_are_ended_where_a_sync_fixture_started_them(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
def poller(loop):
    task = loop.create_task(linger("sync"))
    yield
    assert not task.done()

async def test_leaves(poller):
    await asyncio.sleep(0)

async def test_finds_none():
    assert not left()
    assert ended == ["sync"]
""",
    ).assert_outcomes(passed=2)


def test_are_ended_where_they_start_others_as_they_end(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
async def start_another():
    try:
        await asyncio.sleep(3600)
    finally:
        asyncio.create_task(linger("another"))

async def test_leaves():
    asyncio.create_task(start_another())
    await asyncio.sleep(0)

async def test_finds_none():
    await asyncio.sleep(0)
    assert not left()
""",
    ).assert_outcomes(passed=2)


def test_that_start_others_for_ever_are_given_up(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
async def again():
    try:
        await asyncio.sleep(3600)
    finally:
        if not closing:
            asyncio.create_task(again())
            await asyncio.sleep(0)

closing = []

async def test_leaves():
    asyncio.create_task(again())
    await asyncio.sleep(0)

def test_over():
    closing.append(True)
""",
    )
    result.assert_outcomes(passed=2, errors=1)
    assert "were started one after the other while 3 times all were ended, and were left behind" in output(result)


def test_that_a_timer_starts_after_the_end_of_its_test_are_ended_with_the_next(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
async def test_sets_a_timer():
    asyncio.get_running_loop().call_later(0.01, lambda: asyncio.ensure_future(linger("late")))

async def test_meets_it():
    while not left():
        await asyncio.sleep(0.001)

async def test_does_not():
    assert not left()
    assert ended == ["late"]
""",
    ).assert_outcomes(passed=3)


def test_of_a_task_in_a_group_are_the_groups_too(pytester: pytest.Pytester) -> None:
    """Tasks that a group's task starts live as long as that task does."""
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def group():
    async with asyncio.TaskGroup() as group:
        yield group
        for task in started:
            task.cancel()

started = []

async def nested():
    started.append(asyncio.create_task(linger("grandchild")))
    await asyncio.sleep(3600)

async def service():
    started.append(asyncio.create_task(nested()))
    await asyncio.sleep(3600)

async def test_starts_a_service(group):
    started.append(group.create_task(service()))
    while len(started) < 3:
        await asyncio.sleep(0)

async def test_finds_it_alive(group):
    assert not any(task.done() for task in started)
""",
    ).assert_outcomes(passed=2)


def test_an_async_generator_that_was_broken_off_comes_to_its_end(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
async def numbers():
    try:
        yield 1
    finally:
        await asyncio.sleep(0.02)
        ended.append("generator")

async def test_breaks_off():
    async for _ in numbers():
        break

async def test_it_has_ended():
    assert ended == ["generator"]
""",
    ).assert_outcomes(passed=2)
