"""What every test may use: pytester, which runs pytest on a suite that the test writes."""

import signal
import sys
import threading
from types import FrameType

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    """Give the processes that tests start default signals, whatever started the tests.

    `nohup`, background jobs and some CI systems start us with signals ignored, and a process hands down what it
    ignores. It does not hand down handlers: with one that does nothing, a signal is ignored here, and only here.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return
    numbers = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    for number in numbers:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _ignore)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing."""
