"""Tests, fixtures and loops end as thoroughly as under `asyncio.run`, and errors name the right one."""

import pytest

from tests.plugin.suite import run, run_apart

loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])

HEAD = """
import asyncio
import gc
import socket
import pytest

log = []

def expect(*names):
    assert sorted(log) == sorted(names)
    log.clear()

async def numbers(name, pauses=0):
    try:
        while True:
            yield 1
    finally:
        for _ in range(pauses):
            await asyncio.sleep(0)
        log.append(name)

async def leave_work():
    asyncio.current_task().add_done_callback(lambda _: log.append("done callback"))
    asyncio.get_running_loop().call_soon(log.append, "call_soon")
    async for _ in numbers("generator"):
        break
    async for _ in numbers("pausing generator", 2):
        break

class Protocol(asyncio.Protocol):
    def connection_lost(self, error):
        log.append("connection lost")

async def close_a_transport():
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(Protocol, sock=ours)
    transport.close()

ALL = ("done callback", "call_soon", "generator", "pausing generator")

@pytest.fixture(scope="class")
async def wide():
    yield
"""


@loops
@pytest.mark.parametrize("scope", ["function", "class"])
def test_what_a_test_leaves_to_its_loop_is_done_before_the_next(
    pytester: pytest.Pytester, loop: str, scope: str
) -> None:
    """Whether the loop goes on or is closed with the test."""
    uses = "wide" if scope == "class" else ""
    run(
        pytester,
        f"""{HEAD}
class TestIt:
    async def test_work(self, {uses}):
        await leave_work()

    def test_work_is_done(self, {uses}):
        expect(*ALL)

    async def test_transport(self, {uses}):
        await close_a_transport()

    def test_transport_is_closed(self, {uses}):
        gc.collect()
        expect("connection lost")
""",
        f"--loop-factory={loop}",
    ).assert_outcomes(passed=4)


@loops
def test_what_a_fixture_leaves_to_its_loop_is_done_at_its_end(pytester: pytest.Pytester, loop: str) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def in_teardown(wide):
    yield
    await leave_work()
    await close_a_transport()

@pytest.fixture
async def in_set_up():
    await leave_work()
    return 1

class TestIt:
    async def test_tears_down(self, in_teardown): ...

    def test_is_done(self, wide):
        expect(*ALL, "connection lost")

    async def test_sets_up(self, in_set_up):
        expect(*ALL)
""",
        f"--loop-factory={loop}",
    ).assert_outcomes(passed=3)


@loops
def test_a_thread_that_waits_for_the_done_callback_of_the_test_does_not_keep_the_process(
    pytester: pytest.Pytester, loop: str
) -> None:
    """Anyio stops its worker threads in this way, and the interpreter waits for them at exit."""
    result = run_apart(
        pytester,
        """
        import asyncio, queue, threading
        import pytest

        def start_worker():
            jobs = queue.Queue()
            threading.Thread(target=jobs.get).start()
            asyncio.current_task().add_done_callback(jobs.put)

        @pytest.fixture(scope="module")
        async def wide():
            start_worker()
            yield

        async def test_own():
            start_worker()

        async def test_shared(wide):
            start_worker()
        """,
        f"--loop-factory={loop}",
    )
    result.assert_outcomes(passed=2)


@loops
def test_the_loop_of_a_test_outlives_its_sync_fixtures(pytester: pytest.Pytester, loop: str) -> None:
    """They may hold something that the test has put on the loop."""
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
def held():
    held = []
    yield held
    held[0].close()

async def test_it(held):
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(Protocol, sock=ours)
    held.append(transport)
""",
        f"--loop-factory={loop}",
    ).assert_outcomes(passed=1)


def test_left_over_tasks_end_after_the_fixtures_of_the_test(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def server():
    handlers = []
    yield handlers
    for handler in handlers:
        assert not handler.done()
        handler.set_result("stopped")
        assert await handler == "stopped"
    await asyncio.sleep(0)

async def serve(handlers):
    try:
        handlers.append(asyncio.get_running_loop().create_future())
        log.append(await handlers[0])
    except asyncio.CancelledError:
        log.append("cancelled")

async def test_it(server):
    asyncio.create_task(serve(server))
    await asyncio.sleep(0)

def test_it_stopped_in_order():
    expect("stopped")
""",
    ).assert_outcomes(passed=2)


def test_a_task_in_a_group_belongs_to_the_fixture_that_entered_the_group(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def group():
    async with asyncio.TaskGroup() as group:
        yield group
        for task in started:
            assert not task.done()
            task.cancel()

started = []

async def nested(group):
    started.append(group.create_task(asyncio.sleep(3600)))

async def test_starts_some(group):
    started.append(group.create_task(asyncio.sleep(3600)))
    await group.create_task(nested(group))
    async with asyncio.TaskGroup() as own:
        own.create_task(asyncio.sleep(0))

async def test_finds_them_alive(group):
    await asyncio.sleep(0)
    assert len(started) == 2
    assert not any(task.done() for task in started)
""",
    ).assert_outcomes(passed=2)


def test_a_left_over_task_says_who_left_it(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
jobs = []

class TestIt:
    async def test_starts_a_job(self, wide):
        jobs.append(asyncio.create_task(asyncio.sleep(3600)))

    async def test_awaits_it(self, wide):
        await jobs[0]
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*CancelledError: left over by test_starts_a_job (test_it.py:*), which has ended"])


def test_tasks_have_the_names_of_tests_and_fixtures(pytester: pytest.Pytester) -> None:
    """Asyncio uses the name of a task in its own messages, for example about a slow step."""
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def fixture():
    yield repr(asyncio.current_task())

async def test_it(fixture):
    assert "name='fixture fixture' coro=<fixture()" in fixture
    assert "name='test_it' coro=<test_it()" in repr(asyncio.current_task())
""",
    ).assert_outcomes(passed=1)


def test_the_executor_of_a_loop_may_still_use_the_loop_as_it_ends(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
async def answer():
    return 42

async def test_it():
    loop = asyncio.get_running_loop()
    work = lambda: log.append(asyncio.run_coroutine_threadsafe(answer(), loop).result(30))
    loop.run_in_executor(None, work)

def test_it_was_answered():
    expect(42)
""",
    ).assert_outcomes(passed=2)


def test_an_executor_thread_that_does_not_end_is_reported(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("looprig.runtime.host.EXECUTOR_GRACE", 0.1)
    result = run(
        pytester,
        HEAD
        + """
import threading

go_on = threading.Event()

async def test_it():
    asyncio.get_running_loop().run_in_executor(None, go_on.wait)

def test_next():
    go_on.set()
""",
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*StuckTaskError: the shutdown of the loop's executor took longer than 0.1 s: *"])
