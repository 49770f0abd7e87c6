"""What a command of ours begins with, whatever started us: an environment and signal handlers of its own.

A setting of the shell's must not change what is installed, imported or measured; and what `nohup`, a background job or
some CI systems ignore must not be ignored by the tests of signals.
"""

import os
import re
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["default_signals", "own_environment"]

# Not here, and so in force: where pip finds packages, and which certificates and proxies are used.
UNWANTED: Final = re.compile(
    r"(PYTHON|PYTEST|COVERAGE|COV_|MYPY|RUFF_|PYRIGHT_PYTHON_)\w*|VIRTUAL_ENV\w*|__PYVENV_LAUNCHER__"
    r"|PIP_(USER|TARGET|PREFIX|ROOT|NO_DEPS|DRY_RUN|CONSTRAINT|REQUIRE_\w+|EDITABLE|REQUIREMENT|PYTHON)"
    r"|LOOPRIG_\w+|FORCE_COLOR|NO_COLOR|PY_COLORS"
)


def own_environment() -> dict[str, str]:
    """Return the environment variables that do not change what a command does here."""
    return {name: value for name, value in os.environ.items() if not UNWANTED.fullmatch(name)}


@contextmanager
def default_signals() -> Generator[None]:
    """Start processes in this block with default signals, as a shell's foreground does.

    A process hands down which signals it ignores and blocks, and not its handlers: one that does nothing ignores a
    signal for us alone. For the main thread.
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
