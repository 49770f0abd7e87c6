"""Signals for forked children: the parent, which shares its descriptors with them, doesn't get these."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, time
from looprig.runtime.arrivals import Arrivals

met = []
signal.signal(signal.SIGTERM, lambda number, frame: met.append(number))
arrivals = Arrivals([signal.SIGTERM])
arrivals.listen()
for _ in range(50):
    child = os.fork()
    if not child:
        time.sleep(0.01)
        os._exit(0)
    os.kill(child, signal.SIGTERM)  # often before the child has come to anything of its own
    os.waitpid(child, 0)
time.sleep(1)
print(len(met), signal.set_wakeup_fd(-1) != -1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_signal_for_a_child_is_not_sent_to_its_parent() -> None:
    """And the parent goes on to watch its own."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "0 True\n"
