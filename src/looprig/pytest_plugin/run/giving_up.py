"""The last resort for code that blocks the main thread and can't be interrupted: show where it is, and perhaps exit.

Loaded only then. Called in another thread than the main one.
"""

from __future__ import annotations

import faulthandler
import os
from typing import Final

import pytest

from looprig.pytest_plugin._compat.terminal import file_of_terminal, write_lines

__all__ = ["give_up"]

_STATUS: Final = 70
"""The exit status of a run that can't go on: an internal error (`EX_SOFTWARE`)."""


def give_up(config: pytest.Config, *, ends: bool) -> None:
    """Show the stacks of all threads, and exit if the run `ends` then. Service processes end with the run's own."""
    write_lines(config, ["", "looprig: a test has exceeded its time limit, and can't be interrupted. All threads:"])
    file = file_of_terminal(config)
    file.flush()
    faulthandler.dump_traceback(file)
    if ends:
        write_lines(config, ["looprig: the run ends here, since loop_when_stuck = exit."])
        file.flush()
        os._exit(_STATUS)
