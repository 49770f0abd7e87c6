"""A clean environment and default signal handlers for the commands that the tools run.

Settings of the user's shell must not change what is installed, imported or measured. And the signals that `nohup`, a
background job or a CI system ignores must not be ignored by the tests of signals.
"""

import os
import re
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["default_signals", "own_environment"]

# Deliberately kept: where pip finds packages, and which certificates and proxies are used.
UNWANTED: Final = re.compile(
    r"(PYTHON|PYTEST|COVERAGE|COV_|MYPY|RUFF_|PYRIGHT_PYTHON_)\w*|VIRTUAL_ENV\w*|__PYVENV_LAUNCHER__"
    r"|PIP_(USER|TARGET|PREFIX|ROOT|NO_DEPS|DRY_RUN|CONSTRAINT|REQUIRE_\w+|EDITABLE|REQUIREMENT|PYTHON)"
    r"|LOOPRIG_\w+|FORCE_COLOR|NO_COLOR|PY_COLORS"
)


def own_environment() -> dict[str, str]:
    """Return the environment variables that can't change what a command does."""
    return {name: value for name, value in os.environ.items() if not UNWANTED.fullmatch(name)}


@contextmanager
def default_signals() -> Generator[None]:
    """Start processes in this block with default signals, as in the foreground of a shell.

    A child process inherits which signals are ignored and blocked, but no handlers. So a handler that does nothing
    ignores a signal in this process only. Call it in the main thread.
    """
    if os.name == "nt":
        yield
        return
    numbers = {signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT, signal.SIGTERM}
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, _ignore)
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing."""
