"""Task groups, timeouts and cancel scopes around a fixture's `yield`, and crashes in them."""

import re
import time

import pytest

from tests.plugin.suite import output, run

HEAD = """
import asyncio
import contextlib
import pytest
"""


def test_a_task_group_lives_as_long_as_its_fixture(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def group():
    async with asyncio.TaskGroup() as group:
        ended = asyncio.Event()
        task = group.create_task(ended.wait())
        yield group
        ended.set()
    assert task.result() is True

@pytest.fixture
async def inner(group):
    async with asyncio.TaskGroup() as inner:
        yield inner

@pytest.mark.parametrize("number", [1, 2])
async def test_it(group, inner, number):
    one, two = group.create_task(asyncio.sleep(0, 1)), inner.create_task(asyncio.sleep(0, 2))
    assert await one + await two == 3
""",
    ).assert_outcomes(passed=2)


def test_a_timeout_around_the_yield_that_is_not_reached(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def limited():
    async with asyncio.timeout(30):
        yield

async def test_it(limited):
    await asyncio.sleep(0)
""",
    ).assert_outcomes(passed=1)


def test_a_timeout_around_the_yield_that_is_reached_fails_the_test_at_once(pytester: pytest.Pytester) -> None:
    began = time.monotonic()
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def limited():
    async with asyncio.timeout(0.05):
        yield

async def test_it(limited):
    await asyncio.sleep(3600)
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*FixtureCrashedError: Fixture limited crashed while it was in use: TimeoutError*"])
    assert time.monotonic() - began < 30


def test_a_crash_fails_the_running_test_at_once_and_later_ones_before_they_start(
    pytester: pytest.Pytester,
) -> None:
    began = time.monotonic()
    result = run(
        pytester,
        HEAD
        + """
seen = []

@pytest.fixture(scope="module")
async def server():
    async def serve(request):
        await request.wait()
        raise LookupError("the root cause")

    async with asyncio.TaskGroup() as group:
        request = asyncio.Event()
        group.create_task(serve(request))
        yield request

@pytest.fixture
async def client(server):
    return server

async def test_first(client):
    client.set()
    await asyncio.sleep(3600)

async def test_later(client):
    seen.append("later")

def test_later_sync(server):
    seen.append("later sync")

async def test_stranger():
    assert seen == []
""",
    )
    result.assert_outcomes(failed=1, errors=2, passed=1)
    text = output(result)
    assert "LookupError: the root cause" in text
    # For the first test, and for each that needs the fixture, but not again at teardown.
    assert (
        len(re.findall(r"^E .*FixtureCrashedError: Fixture server crashed while it was in use", text, re.MULTILINE))
        == 3
    )
    # At the line where the fixture is defined, with the cause where it was raised. No frames of pytest.
    assert len(re.findall(r"^>       async with asyncio.TaskGroup\(\) as group:", text, re.MULTILINE)) == 2
    assert "_pytest" not in text
    assert "ERROR test_it.py::test_later" in text
    assert "ERROR test_it.py::test_later_sync" in text
    assert time.monotonic() - began < 30


def test_a_crash_under_a_test_that_does_not_need_it_harms_only_those_that_do(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def server(joint):
    async with asyncio.TaskGroup() as group:
        async def serve():
            await joint.wait()
            raise LookupError("the root cause")
        group.create_task(serve())
        yield

@pytest.fixture(scope="module")
async def joint():
    return asyncio.Event()

async def test_first(server):
    pass

async def test_stranger(joint):
    joint.set()
    for _ in range(10):
        await asyncio.sleep(0)

async def test_later(server):
    pass

async def test_last(joint):
    pass
""",
    )
    # Once, as the error of `test_later`; teardown doesn't report it again.
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*LookupError: the root cause*", "ERROR test_it.py::test_later*"])


def test_a_crash_that_no_test_met_is_told_at_teardown(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def joint():
    return asyncio.Event()

@pytest.fixture(scope="module")
async def server(joint):
    async with asyncio.TaskGroup() as group:
        async def serve():
            await joint.wait()
            raise LookupError("the root cause")
        group.create_task(serve())
        yield

async def test_first(server):
    pass

async def test_stranger(joint):
    joint.set()
    for _ in range(10):
        await asyncio.sleep(0)
""",
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*LookupError: the root cause*", "ERROR test_it.py::test_stranger*"])


def test_a_crash_while_a_dependent_is_set_up(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def server():
    async with asyncio.TaskGroup() as group:
        async def serve():
            await request.wait()
            raise LookupError("the root cause")
        request = asyncio.Event()
        group.create_task(serve())
        yield request

@pytest.fixture
async def client(server):
    server.set()
    await asyncio.sleep(3600)

async def test_it(client):
    pass
""",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*LookupError: the root cause*", "*Fixture server crashed*"])


def test_a_fixture_that_fails_after_the_crash_too(pytester: pytest.Pytester) -> None:
    """An error that the fixture raises while it ends is part of the crash; no error is lost."""
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def server():
    try:
        async with asyncio.TaskGroup() as group:
            async def serve():
                raise LookupError("the root cause")
            group.create_task(serve())
            yield
    finally:
        raise RuntimeError("and one more")

async def test_it(server):
    await asyncio.sleep(3600)
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*LookupError: the root cause*", "*RuntimeError: and one more*"])


def test_a_fixture_cancelled_from_outside_has_crashed(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def mine():
    yield asyncio.current_task()

async def test_it(mine):
    mine.cancel()
    await asyncio.sleep(3600)
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Fixture mine crashed while it was in use: CancelledError*"])


def test_a_crash_of_a_fixture_that_was_asked_for_fails_the_asker(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
from looprig.runtime.ask import ask

@pytest.fixture
async def server():
    async with asyncio.TaskGroup() as group:
        async def serve():
            await request.wait()
            raise LookupError("the root cause")
        request = asyncio.Event()
        group.create_task(serve())
        yield request

async def test_it():
    (await ask("server")).set()
    await asyncio.sleep(3600)
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*LookupError: the root cause*", "*Fixture server crashed*"])


@pytest.mark.parametrize("outcome", ["fail", "skip"])
def test_an_outcome_in_a_task_group_is_a_crash_too(pytester: pytest.Pytester, outcome: str) -> None:
    """Pytest's outcomes aren't subclasses of `Exception`: unless they are handled, the test would wait forever."""
    result = run(
        pytester,
        HEAD
        + f"""
@pytest.fixture
async def watched():
    async def watch():
        await asyncio.sleep(0)
        pytest.{outcome}("the watcher says so")

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        yield

@pytest.mark.loop_timeout(20)
async def test_it(watched):
    await asyncio.sleep(3600)
""",
    )
    result.assert_outcomes(failed=1)
    assert "the watcher says so" in output(result)
    assert "took longer" not in output(result)
