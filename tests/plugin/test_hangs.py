"""A test that hangs is ended by the default limit, wherever it hangs, and the tests after it run."""

import re

import pytest

from tests.plugin.suite import output, run_apart

SHORT = """
    import looprig.pytest_plugin.watch.guards as guards
    import looprig.watch.hangs as hangs

    guards.DEFAULT_LIMIT = hangs.DEFAULT_LIMIT = 0.5
"""
HEAD = """
    import asyncio
    import threading
    import time
    from dataclasses import dataclass

    import pytest
    from looprig import service_fixture

    async def hang():
        await asyncio.sleep(3600)  # a timer is set, so it is no deadlock
"""


def run(pytester: pytest.Pytester, suite: str, *options: str) -> pytest.RunResult:
    return run_apart(pytester, {"conftest.py": SHORT, "test_it.py": HEAD + suite}, *options)


def test_each_phase_ends_and_names_the_line(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    @pytest.fixture
    async def slow_up():
        await hang()

    @pytest.fixture(scope="module")
    async def wide_up():
        await hang()

    @pytest.fixture
    async def slow_down():
        yield
        await hang()

    async def test_set_up(slow_up): ...
    async def test_wide_set_up(wide_up): ...
    async def test_call():
        await hang()
    async def test_teardown(slow_down): ...
    def test_sync_teardown(slow_down): ...
    async def test_after(): ...
        """,
    )
    result.assert_outcomes(errors=4, failed=1, passed=3)
    text = output(result)
    for phase, name in [
        ("set-up", "test_set_up"),
        ("set-up", "test_wide_set_up"),
        ("call", "test_call"),
        ("teardown", "test_teardown"),
        ("teardown", "test_sync_teardown"),
    ]:
        assert f"TimeoutExpiredError: The {phase} of {name} took longer than 0.5 s" in text
    assert len(re.findall(r">\s+await asyncio.sleep\(3600\)|test_it.py:\d+: in hang", text)) >= 5


def test_a_blocked_thread_and_a_task_that_swallows(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def waits():
        threading.Event().wait()

    async def test_blocks():
        threading.Thread(target=waits, name="helper", daemon=True).start()
        time.sleep(3600)

    @pytest.fixture
    async def on_a_loop(): ...

    def test_blocks_in_sync_code(on_a_loop):
        time.sleep(3600)

    async def test_swallows():
        while True:
            try:
                await hang()
            except asyncio.CancelledError:
                pass

    async def test_after(): ...
        """,
    )
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines(
        [
            ">*time.sleep(3600)",
            "E*TimeoutExpiredError: The call of test_blocks took longer than 0.5 s.",
            "E*It did not wait on the loop: something in it blocked the thread.",
            "E*Other threads:",
            "E*helper at",
            "E*in waits",
            ">*time.sleep(3600)",
            "E*TimeoutExpiredError: The call of test_blocks_in_sync_code took longer than 0.5 s.",
            "E*TimeoutExpiredError: The call of test_swallows took longer than 0.5 s.",
            "*It swallowed its cancellation 3 times and was left behind at",
        ]
    )
    assert "\nE   looprig.TimeoutExpiredError: The call of test_blocks took" not in output(result)


def test_tasks_that_wait_for_each_other_beside_a_timer(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    async def move(source, target):
        async with source:
            await asyncio.sleep(0)
            async with target: ...

    async def test_moves():
        one, two = asyncio.Lock(), asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            group.create_task(hang(), name="timer")
            group.create_task(move(one, two), name="there")
            group.create_task(move(two, one), name="back")
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*It waits for tasks *.", "E*Each waits for the next: back -> there -> back."])


def test_a_service_has_the_time_that_it_asks_for(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    @service_fixture(scope="module", start_timeout=10)
    @dataclass(kw_only=True)
    class Slow:
        async def start(self):
            await asyncio.sleep(1)
        async def stop(self):
            await hang()

    @service_fixture(start_timeout=0.2)
    @dataclass(kw_only=True)
    class Never:
        async def start(self):
            await hang()
        async def stop(self): ...

    async def test_starts(slow: Slow): ...
    async def test_never(never: Never): ...
    async def test_is_the_last(slow: Slow): ...
        """,
    )
    result.assert_outcomes(passed=2, errors=2)
    text = output(result)
    assert "Service Never was not ready within 0.2 s" in text
    assert "The teardown of test_is_the_last took longer than 0.5 s" in text


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        (["--loop-watchdogs=hangs=off"], {"passed": 1}),
        (["--loop-watchdogs=hangs=warn"], {"passed": 1}),
        (["--loop-timeout=30"], {"passed": 1}),
        (["--pdb"], {"passed": 1}),
        (["--loop-watchdogs=hangs=error"], {"failed": 1}),
    ],
)
def test_what_turns_it_off(pytester: pytest.Pytester, options: list[str], outcome: dict[str, int]) -> None:
    result = run(pytester, "    async def test_it():\n        await asyncio.sleep(1)", *options)
    result.assert_outcomes(**outcome)
    text = output(result)
    is_shown = "test_it waits for sleep at" in text
    assert is_shown == ("warn" in options[0])
    assert ("watchdogs noted 1 finding in 1 test" in text) == is_shown


def test_pytest_timeouts_limit_goes_first(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_timeout")
    result = run(
        pytester,
        """
    @pytest.mark.timeout(30)
    async def test_it():
        await asyncio.sleep(1)
        """,
        *("-p", "pytest_timeout"),
    )
    result.assert_outcomes(passed=1)


def test_a_breakpoint_drops_the_limits_of_its_test(pytester: pytest.Pytester) -> None:
    """Those that are set, too: somebody looks at it for as long as it takes."""
    suite = """
    async def test_default():
        breakpoint()
    @pytest.mark.loop_timeout(0.5)
    async def test_set():
        breakpoint()
        await asyncio.sleep(0.1)
    async def test_after():
        await hang()
    """
    prompt = """
    import pdb, time

    class Slow(pdb.Pdb):
        def cmdloop(self, intro=None):
            time.sleep(1)
            self.set_continue()
    """
    files = {"conftest.py": SHORT, "slow_pdb.py": prompt, "test_it.py": HEAD + suite}
    result = run_apart(pytester, files, "--pdbcls=slow_pdb:Slow", "-s", "-p", "debugging")
    result.assert_outcomes(passed=2, failed=1)
    assert "The call of test_after took longer than 0.5 s." in output(result)


STUCK = """
    @pytest.fixture(scope="module")
    async def wide():
        yield
        print("the wide one is torn down")

    @pytest.mark.loop_timeout(0.1)
    async def test_swallows(wide):
        while True:
            try:
                await hang()
            except asyncio.CancelledError:
                pass

    async def test_after(wide): ...
"""


@pytest.mark.parametrize("choice", ["continue", "exit"])
def test_a_run_ends_after_a_test_that_cannot_be_ended_if_asked_to(pytester: pytest.Pytester, choice: str) -> None:
    pytester.makeini(f"[pytest]\nloop_when_stuck = {choice}\n")
    result = run(pytester, STUCK, "-s")
    result.assert_outcomes(failed=1, passed=int(choice == "continue"))
    text = output(result)
    assert "the wide one is torn down" in text
    assert ("test_swallows left a task behind, and loop_when_stuck = exit" in text) == (choice == "exit")


@pytest.mark.parametrize("choice", ["continue", "exit"])
def test_code_that_cannot_be_interrupted_shows_all_threads(pytester: pytest.Pytester, choice: str) -> None:
    """A signal is only handled between two instructions of Python, so a call into C that ignores it goes on."""
    pytester.makeini(f"[pytest]\nloop_when_stuck = {choice}\n")
    result = run(
        pytester,
        """
    import ctypes
    import signal

    @pytest.mark.loop_timeout(0.1)
    async def test_it():
        sleep_in_c(ctypes.CDLL(None))

    def sleep_in_c(libc):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            libc.usleep(9_000_000)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    async def test_after(): ...
        """,
    )
    text = output(result)
    assert "a test has exceeded its time limit, and can't be interrupted. All threads:" in text
    assert "in sleep_in_c" in text + result.stderr.str()
    if choice == "exit":
        assert result.ret == 70
    else:
        result.assert_outcomes(failed=1, passed=1)
