"""Teardown: in strict reverse order, every one tried, no error lost, nothing left running, and it always ends."""

import time

import pytest

from tests.plugin.suite import output, run, run_apart

HEAD = """
import asyncio
import pytest

life = []
"""


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up a task that swallows its cancellation sooner than users would want."""
    for module in ("ending", "operation"):
        monkeypatch.setattr(f"looprig.runtime.{module}.GRACE", 0.02)


def test_fixtures_are_torn_down_in_strict_reverse_order(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
def fixture(name, needs, scope, is_async):
    kind = "async " if is_async else ""
    text = f'''
@pytest.fixture(scope="{scope}")
{kind}def {name}({needs}):
    print("up {name}")
    yield
    print("down {name}")
'''
    exec(text, globals())

fixture("a_session", "", "session", True)
fixture("b_sync", "a_session", "session", False)
fixture("c_module", "b_sync", "module", True)
fixture("d_class", "c_module", "class", True)
fixture("e_sync", "d_class", "function", False)
fixture("f_narrow", "a_session", "function", True)

class TestIt:
    async def test_one(self, f_narrow, e_sync):
        print("one")

    async def test_two(self, e_sync, f_narrow):
        print("two")
""",
        "-s",
    )
    result.assert_outcomes(passed=2)
    words = [line.lstrip(".") for line in result.outlines]
    words = [
        word
        for line in words
        for word in [line.removeprefix("test_it.py ")]
        if word[:3] in {"up ", "dow", "one", "two"}
    ]
    assert words == [
        *("up a_session", "up b_sync", "up c_module", "up d_class"),
        *("up f_narrow", "up e_sync", "one", "down e_sync", "down f_narrow"),
        *("up e_sync", "up f_narrow", "two", "down f_narrow", "down e_sync"),
        *("down d_class", "down c_module", "down b_sync", "down a_session"),
    ]


def test_every_teardown_is_tried_and_several_errors_become_a_group(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def one():
    yield
    raise LookupError("down one")

@pytest.fixture
def sync():
    yield
    raise LookupError("down sync")

@pytest.fixture
async def two(one, sync):
    yield
    raise LookupError("down two")

async def test_it(two):
    pass
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    text = output(result)
    assert "ExceptionGroup" in text
    for word in ("one", "sync", "two"):
        assert f"LookupError: down {word}" in text


def test_a_failing_test_and_a_failing_teardown_are_both_told(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def broken():
    yield
    raise LookupError("down")

async def test_it(broken):
    raise LookupError("in the test")
""",
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines_random(["*LookupError: down", "*LookupError: in the test"])


def test_a_fixture_that_fails_in_its_set_up_ends_what_it_started(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def wide():
    yield

@pytest.fixture
async def broken(wide):
    async def linger():
        try:
            await asyncio.sleep(3600)
        finally:
            life.append("ended")
    asyncio.create_task(linger())
    await asyncio.sleep(0)
    raise LookupError("up")

async def test_it(broken):
    pass

async def test_after(wide):
    assert life == ["ended"]
""",
    ).assert_outcomes(errors=1, passed=1)


def test_a_test_leaves_no_task_to_the_next_one(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def wide():
    task = asyncio.create_task(asyncio.sleep(3600), name="of the fixture")
    yield
    assert not task.done()

async def linger():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(3600))
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            life.append("ended")

async def test_leaves(wide):
    asyncio.create_task(linger())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 4

def test_sync(wide, loop):
    assert life == ["ended"]
    loop.create_task(linger())

async def test_meets(wide):
    names = {task.get_name() for task in asyncio.all_tasks()} - {asyncio.current_task().get_name()}
    assert names == {"of the fixture"}
""",
    ).assert_outcomes(passed=3)


def test_a_fixture_without_a_yield_keeps_its_tasks_until_its_end(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
async def serve():
    try:
        await asyncio.sleep(3600)
    finally:
        life.append("ended")

@pytest.fixture(scope="class")
async def server():
    return asyncio.create_task(serve())

@pytest.fixture(scope="module")
async def wide():
    yield

class TestIt:
    async def test_one(self, server, wide):
        await asyncio.sleep(0)

    async def test_two(self, server, wide):
        assert not server.done()
        assert life == []

async def test_after(wide):
    assert life == ["ended"]
""",
    ).assert_outcomes(passed=3)


def test_an_error_in_a_task_that_was_left_over_is_told(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
async def linger():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        raise LookupError("while it was ended")

async def test_it():
    asyncio.create_task(linger())
    await asyncio.sleep(0)
    raise LookupError("in the test")
""",
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*A task that was left over by test_it (*) ended in an error: LookupError: while it was ended.",
            "*in the test",
        ]
    )


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("where", ["test", "fixture", "task of a fixture"])
def test_a_task_that_swallows_its_cancellation_does_not_hang_the_run(pytester: pytest.Pytester, where: str) -> None:
    began = time.monotonic()
    result = run(
        pytester,
        HEAD
        + f"""
async def stubborn():
    for _ in range(20):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

@pytest.fixture(scope="module")
async def wide():
    yield

@pytest.fixture
async def maybe(wide):
    if {where!r} == "task of a fixture":
        asyncio.create_task(stubborn())
        await asyncio.sleep(0)
    yield
    if {where!r} == "fixture":
        await stubborn()

@pytest.mark.loop_timeout(0.2)
async def test_it(maybe):
    if {where!r} == "test":
        await stubborn()

async def test_after(wide):
    await asyncio.sleep(0)
""",
    )
    text = output(result)
    if where == "test":
        result.assert_outcomes(failed=1, passed=1)
    else:
        result.assert_outcomes(passed=2, errors=1)
    assert "swallowed" in text
    assert "stubborn" in text
    assert time.monotonic() - began < 20


@pytest.mark.usefixtures("short_grace")
def test_a_stuck_task_and_a_failing_test_are_both_told(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
async def stubborn():
    for _ in range(20):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def test_it():
    asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    raise LookupError("in the test")
""",
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        ["*LookupError: in the test*", "*StuckTaskError: 1 task(s) of test_it swallowed*"]
    )


def test_async_generators_and_the_executor_are_closed_with_the_loop(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
import threading

async def numbers():
    try:
        yield 1
    finally:
        await asyncio.sleep(0)
        life.append("generator")

kept = []

async def test_it():
    kept.append(numbers())
    assert await anext(kept[0]) == 1
    name = await asyncio.to_thread(lambda: threading.current_thread())
    kept.append(name)

def test_after():
    assert life == ["generator"]
    assert not kept[1].is_alive()
""",
    ).assert_outcomes(passed=2)


def test_a_fixture_may_be_set_up_again_after_its_teardown_failed(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def broken():
    life.append("up")
    yield len(life)
    raise LookupError("down")

@pytest.mark.parametrize("number", [1, 2])
async def test_it(broken, number):
    assert broken == number
""",
    ).assert_outcomes(passed=2, errors=2)
