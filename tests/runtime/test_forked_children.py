"""Signals for forked children: each reaches its child, however soon it is sent, and never the parent."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading, time, warnings
from looprig.runtime.interrupts import Interrupts

warnings.simplefilter("ignore")  # of forks with threads
met, ended = [], []
interrupts = Interrupts({signal.SIGTERM: lambda: met.append(1) or RuntimeError("met in the parent")})
interrupts.install()

def fork():
    for _ in range(50):
        child = os.fork()
        if not child:
            time.sleep(5)
            os._exit(0)
        os.kill(child, signal.SIGTERM)  # often before the child has come to anything of its own
        ended.append(os.waitpid(child, 0)[1])

if sys.argv[1] == "main":
    fork()
else:
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
time.sleep(1)
print(set(ended) == {signal.SIGTERM}, met, signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
interrupts.uninstall()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("thread", ["main", "another"])
def test_a_signal_for_a_child_reaches_it_and_not_its_parent(thread: str) -> None:
    command = [sys.executable, "-c", PROGRAM, thread]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "True [] False\n"
