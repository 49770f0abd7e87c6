"""Calls that block the loop are found on their line, and shown at the end of the run or fail their test."""

import re
import sys

import pytest

from tests.plugin.suite import output, run_apart

HEAD = """
    import asyncio
    import time

    import pytest

    def work(seconds):
        time.sleep(seconds)  # here
"""


def test_blocks_are_found_on_their_line_and_short_ones_in_a_row_are_not(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
    @pytest.mark.parametrize("number", range(10))
    async def test_blocks(number):
        work(0.25)

    @pytest.mark.parametrize("number", range(5))
    async def test_does_not_block(number):
        async def short():
            work(0.03)
        await asyncio.gather(*(short() for _ in range(8)))
    """,
    )
    result.assert_outcomes(passed=15)
    result.stdout.fnmatch_lines(
        ["*looprig: 10 callbacks blocked the loop in 10 tests, for ?.? s*", "*?.? s    10 x  test_it.py:8 in work"]
    )


@pytest.mark.parametrize(
    "code",
    [
        "end = time.thread_time() + 0.4\n        while time.thread_time() < end: pass",
        "asyncio.get_running_loop().call_soon(work, 0.4)\n        await asyncio.sleep(0.05)",
    ],
    ids=["busy", "callback"],
)
def test_each_way_to_block(pytester: pytest.Pytester, code: str) -> None:
    suite = HEAD + f"\n    async def test_it():\n        await asyncio.sleep(0.05)\n        {code}\n"
    result = run_apart(pytester, suite, "--loop-watchdogs=blocking=error")
    result.assert_outcomes(failed=1)
    assert re.search(r"BlockedLoopError: \w+ blocked its loop for about \d\.\d s", output(result))


def test_a_fixture_is_named_and_a_late_block_fails_its_own_test(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
    @pytest.fixture(scope="module")
    async def slow():
        work(0.3)
        yield

    async def test_set_up(slow): ...
    async def test_between(slow): ...
    async def test_blocks_at_its_end(slow):
        await asyncio.sleep(0.01)
        work(0.3)
    async def test_after(slow): ...
    """,
        "--loop-watchdogs=blocking=error",
    )
    assert result.parseoutcomes() == {"failed": 2, "passed": 2}
    text = output(result)
    assert text.count("test_it.py:8: work") == 2
    assert "test_it.py:10: slow" in text


@pytest.mark.parametrize(
    ("ini", "outcome"),
    [("loop_watchdogs = blocking=off", 0), ("loop_blocking_threshold = 2", 0), ("loop_blocking_threshold = 0.2", 1)],
)
def test_the_threshold_and_the_policy(pytester: pytest.Pytester, ini: str, outcome: int) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = run_apart(pytester, HEAD + "\n    async def test_it():\n        work(0.5)\n")
    result.assert_outcomes(passed=1)
    shown = re.findall(
        r"looprig: 1 callback blocked the loop in 1 test, for 0\.[3-6] s: -v shows where\.", output(result)
    )
    assert len(shown) == outcome


@pytest.mark.parametrize("value", ["0", "soon", "-1"])
def test_a_wrong_threshold_is_an_error_at_the_start(pytester: pytest.Pytester, value: str) -> None:
    pytester.makeini(f"[pytest]\nloop_blocking_threshold = {value}\n")
    result = run_apart(pytester, "def test_it(): ...")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"loop_blocking_threshold = {value}: give a number above 0." in output(result)


@pytest.mark.skipif(sys.platform == "win32", reason="needs workers that fork")
def test_the_controller_of_xdist_shows_the_table(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = run_apart(
        pytester, HEAD + "\n    async def test_it():\n        work(1.2)\n", *("-p", "xdist"), *("-n", "1")
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*?.? s     1 x  test_it.py:8 in work"])


def test_of_several_lines_the_one_that_takes_longest_is_named(pytester: pytest.Pytester) -> None:
    suite = """
    import time

    def long():
        time.sleep(0.5)

    def short():
        time.sleep(0.15)

    async def test_it():
        short()
        long()
        short()
    """
    result = run_apart(pytester, suite, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["* 1 x  test_it.py:5 in long"])
