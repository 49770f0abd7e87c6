"""What every test may use: pytester, which runs pytest on a suite that the test writes."""

import signal
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Final

pytest_plugins = ["pytester"]

NEEDS: Final = {
    "http": ("aiohttp", "msgspec", "pydantic"),
    "services_in_pytest": ("aiohttp", "msgspec"),
    "services/test_aiohttp.py": ("aiohttp",),
    "typing/test_client_types.py": ("aiohttp",),
    "typing/test_proxy_types.py": ("aiohttp",),
}
"""What cannot be imported without an extra; a Python may be too new for one. Elsewhere each test says what it needs."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the tests of an extra that is not installed."""
    return True if _lacking(collection_path) else None


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    here = Path(__file__).parent
    return [f"tests/{name} is left out: {lacking}" for name in NEEDS if (lacking := _lacking(here / name))]


def _lacking(path: Path) -> str:
    here = Path(__file__).parent
    name = path.relative_to(here).as_posix() if path.is_relative_to(here) else ""
    lacking = [module for module in NEEDS.get(name, ()) if find_spec(module) is None]
    return f"needs {', '.join(lacking)}" if lacking else ""


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
