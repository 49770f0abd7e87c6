"""The suite passes no matter what starts it."""

import subprocess
import sys

import pytest

from tests.house.repository import ROOT

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

IGNORING = """
import os, signal, sys
numbers = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
for number in numbers:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_a_starter_that_ignores_signals_does_not_matter_to_the_tests_of_signals() -> None:
    """`nohup` and background jobs ignore signals. Without default signals, each of these tests would time out."""
    tests = "tests/plugin/test_signals.py::test_handlers_are_given_back_when_the_run_ends"
    command = (sys.executable, "-c", IGNORING, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
