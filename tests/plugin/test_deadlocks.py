"""A test that waits for what can't happen fails at once, and one that something may still wake does not."""

import time

import pytest

from tests.plugin.suite import output, run_apart

HEAD = """
import asyncio
import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

NEVER = pytest.mark.loop_timeout(30)


async def hold(first, second):
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass


async def until(event):
    await event.wait()


"""

# Each waits for something that never happens.
SHAPES = {
    "an event": "await asyncio.Event().wait()",
    "a future": "await asyncio.get_running_loop().create_future()",
    "a lock that it holds": """
        lock = asyncio.Lock()
        await lock.acquire()
        await lock.acquire()
    """,
    "a semaphore": "await asyncio.Semaphore(0).acquire()",
    "a condition": """
        condition = asyncio.Condition()
        async with condition:
            await condition.wait()
    """,
    "a barrier": "await asyncio.Barrier(2).wait()",
    "an empty queue": "await asyncio.Queue().get()",
    "a full queue": """
        queue = asyncio.Queue(1)
        await queue.put(1)
        await queue.put(2)
    """,
    "an unfinished queue": """
        queue = asyncio.Queue()
        await queue.put(1)
        await queue.join()
    """,
    "a stream": "await asyncio.StreamReader().readline()",
    "a gather": "await asyncio.gather(until(asyncio.Event()), until(asyncio.Event()))",
    "a wait": "await asyncio.wait([asyncio.ensure_future(until(asyncio.Event()))])",
    "a shield": """
        inner = asyncio.ensure_future(until(asyncio.Event()))
        await asyncio.shield(inner)
    """,
    "a task group": """
        async with asyncio.TaskGroup() as group:
            group.create_task(until(asyncio.Event()))
    """,
    "two locks in two orders": """
        one, two = asyncio.Lock(), asyncio.Lock()
        await asyncio.gather(hold(one, two), hold(two, one))
    """,
    "three locks in a circle": """
        one, two, three = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
        await asyncio.gather(hold(one, two), hold(two, three), hold(three, one))
    """,
    "two tasks that await each other": """
        tasks = {}
        async def wait_for(name):
            await asyncio.sleep(0)
            await tasks[name]
        tasks["a"] = asyncio.create_task(wait_for("b"), name="a")
        tasks["b"] = asyncio.create_task(wait_for("a"), name="b")
        await asyncio.wait([*tasks.values()])
    """,
    "three tasks that await each other": """
        tasks = {}
        async def wait_for(name):
            await asyncio.sleep(0)
            await tasks[name]
        for name, other in ("ab", "bc", "ca"):
            tasks[name] = asyncio.create_task(wait_for(other), name=name)
        await asyncio.wait([*tasks.values()])
    """,
    "a producer and a consumer": """
        requests, answers = asyncio.Queue(), asyncio.Queue()
        async def serve():
            while True:
                await answers.put(await requests.get() + 1)
        server = asyncio.create_task(serve(), name="server")
        await requests.join()
        await answers.get()
    """,
    "a generator": """
        async def numbers():
            yield 1
            await asyncio.Event().wait()
        async for number in numbers():
            pass
    """,
}


def body(code: str) -> str:
    lines = code.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(f"        {line[indent:]}" for line in lines)


def test_each_shape_of_a_deadlock_fails_at_once_and_finally_runs(pytester: pytest.Pytester) -> None:
    tests = "".join(
        f"""
async def test_{number}():
    try:
{body(code)}
    finally:
        with open("ended", "a") as file:
            print({number}, file=file)

async def test_after_{number}():
    await asyncio.sleep(0)
"""
        for number, code in enumerate(SHAPES.values())
    )
    began = time.monotonic()
    result = run_apart(pytester, HEAD + tests)
    result.assert_outcomes(failed=len(SHAPES), passed=len(SHAPES))
    text = output(result)
    assert text.count("looprig.DeadlockError: Deadlock: the call of test_") >= len(SHAPES)
    for number, shape in enumerate(SHAPES):
        assert f" test_{number} waits for " in text, shape
    assert (pytester.path / "ended").read_text().split() == [str(number) for number in range(len(SHAPES))]
    assert time.monotonic() - began < 30  # far less than 60 s for each


def test_the_error_shows_each_task_with_its_line_and_the_circle(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        async def consumer():
            async def consume():
                await asyncio.Event().wait()
            task = asyncio.create_task(consume(), name="consuming")
            yield
            task.cancel()

        async def move(source, target):
            async with source:
                await asyncio.sleep(0)
                async with target:
                    pass

        async def test_moves(consumer):
            one, two = asyncio.Lock(), asyncio.Lock()
            there = asyncio.create_task(move(one, two), name="there")
            back = asyncio.create_task(move(two, one), name="back")
            await there
            await back
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*await there",
            "E*looprig.DeadlockError: Deadlock: the call of test_moves waits, and nothing can wake its loop.",
            "E*test_it.py:19: test_moves",
            "E*Each waits for the next: back -> there -> back.",
            "E*These tasks wait:",
            "E*test_moves waits for task there at",
            "E*test_it.py:23 in test_moves",
            "E*back waits for Lock.acquire, held by task there, at",
            "E*test_it.py:16 in move",
            "E*consuming, started by *consumer (test_it.py:5), waits for Event.wait at",
            "E*test_it.py:8 in consume",
            "E*there waits for Lock.acquire, held by task back, at",
            "E*test_it.py:16 in move",
        ]
    )


def test_set_up_and_teardown_of_fixtures_and_the_test_after(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture(scope="module")
        async def never_ready():
            await asyncio.Event().wait()

        @pytest.fixture
        async def never_ends():
            yield
            await asyncio.Event().wait()

        async def test_set_up(never_ready): ...
        async def test_teardown(never_ends): ...
        async def test_after(): ...
        """,
    )
    result.assert_outcomes(errors=2, passed=2)
    text = output(result)
    assert "Deadlock: the set-up of fixture never_ready waits" in text
    assert "Deadlock: the teardown of fixture never_ends waits" in text


# In each, something that isn't on the loop wakes it, after longer than the patrol needs to judge it.
@pytest.mark.parametrize("policy", ["warn", "off"])
def test_the_policy(pytester: pytest.Pytester, policy: str) -> None:
    """With `warn`, it is shown at once, since it may wait for ever; here the limit ends it."""
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.mark.loop_timeout(1.5)
        async def test_it():
            await asyncio.Event().wait()
        """,
        f"--loop-watchdogs=deadlocks={policy}",
    )
    result.assert_outcomes(failed=1)
    text = output(result)
    assert "TimeoutExpiredError: The call of test_it took longer than 1.5 s." in text
    assert text.count("Deadlock: the call of test_it waits, and nothing can wake its loop.") == (policy == "warn")
    assert ("looprig: watchdogs noted 1 finding in 1 test" in text) == (policy == "warn")


def test_a_limit_that_expires_within_a_second_comes_first(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester, "import asyncio\nasync def test_it(): await asyncio.Event().wait()", "--loop-timeout=0.5"
    )
    result.assert_outcomes(failed=1)
    assert "TimeoutExpiredError: The call of test_it took longer than 0.5 s." in output(result)
    assert "Deadlock" not in output(result)


def test_on_workers_of_xdist_too(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = run_apart(
        pytester, "import asyncio\nasync def test_it(): await asyncio.Event().wait()", "-p", "xdist", "-n", "1"
    )
    result.assert_outcomes(failed=1)
    assert "Deadlock: the call of test_it waits" in output(result)
