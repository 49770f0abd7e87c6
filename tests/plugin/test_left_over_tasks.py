"""Tasks that fixtures and tests leave over: ended with whoever started them, whatever factory made them."""

import pytest

from tests.plugin.suite import run

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
    assert ended == ["test", "fixture"]
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
    ended.clear()
"""
    run(pytester, HEAD + factory + TESTS).assert_outcomes(passed=3)


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
    assert ended == ["test", "fixture"]
"""
    run(pytester, HEAD + for_a_while).assert_outcomes(passed=2)
