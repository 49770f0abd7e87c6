"""Callbacks that block their loop are noted, and those that only wait for a processor aren't."""

import os
import sys

import pytest

from tests.plugin.suite import output, run_apart

HEAD = """
import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.loop_watchdogs(blocking="error")


def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def digest(seconds):  # without the interpreter's lock
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        hashlib.pbkdf2_hmac("sha256", b"", b"", 20_000)
"""

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how long a thread waits")


@pytest.mark.parametrize("block", ["time.sleep(1)", "spin(1)", "digest(1)"])
def test_a_call_that_holds_the_loop_is_noted(pytester: pytest.Pytester, block: str) -> None:
    suite = f"{HEAD}\nasync def test_it():\n    {block}\n"
    result = run_apart(pytester, suite, "-o", "loop_blocking_threshold=0.5")
    result.assert_outcomes(failed=1)
    assert "blocked its loop for about" in output(result)


def test_the_line_is_one_in_a_file(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(slow="exec('import time; time.sleep(1)')")
    suite = f"{HEAD}\nasync def test_it():\n    exec('import slow')\n"
    result = run_apart(pytester, suite, "-o", "loop_blocking_threshold=0.5")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   looprig.BlockedLoopError: <module> blocked its loop for about*", "*slow.py:1: *"])


@needs_linux
@pytest.mark.parametrize("call", ["spin", "digest"])
def test_the_wait_for_a_busy_processor_does_not_count(pytester: pytest.Pytester, call: str) -> None:
    suite = (
        HEAD
        + f"""
async def test_it():
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + 5)
        began = time.monotonic()
        {call}(0.2)
        assert time.monotonic() - began > 0.5
    finally:
        for other in others:
            other.kill()
            other.wait()
"""
    )
    run_apart(pytester, suite, "-o", "loop_blocking_threshold=0.4").assert_outcomes(passed=1)


@needs_linux
def test_several_calls_while_the_patrol_waits_for_a_processor(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
import asyncio


async def test_it():
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        for thread in os.listdir("/proc/self/task"):
            if int(thread) != os.getpid():
                os.sched_setaffinity(int(thread), [min(os.sched_getaffinity(0))])
                os.setpriority(os.PRIO_PROCESS, int(thread), 19)
        for _ in range(50):
            digest(0.02)
            await asyncio.sleep(0)
    finally:
        for other in others:
            other.kill()
            other.wait()
"""
    )
    run_apart(pytester, suite, "-o", "loop_blocking_threshold=0.1").assert_outcomes(passed=1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it stops a process")
def test_a_process_that_stands_still_does_not_count(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
async def test_it():
    resume = f"import os, time; time.sleep(1); os.kill({os.getpid()}, {signal.SIGCONT:d})"
    with subprocess.Popen([sys.executable, "-c", resume]):
        spin(0.05)
        os.kill(os.getpid(), signal.SIGSTOP)
        spin(0.05)
"""
    )
    run_apart(pytester, suite, "-o", "loop_blocking_threshold=0.5").assert_outcomes(passed=1)
