"""Fixtures and hooks for all tests: pytester, optional packages, and default signals."""

import signal
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Final

import pytest

pytest_plugins = ["pytester"]

NEEDS: Final = {
    "kits": ("asyncpg", "psycopg", "redis", "sqlalchemy"),
    "http": ("aiohttp", "msgspec", "pydantic"),
    "services_in_pytest": ("aiohttp", "msgspec"),
    "services/test_aiohttp.py": ("aiohttp",),
    "typing/test_client_types.py": ("aiohttp",),
    "typing/test_proxy_types.py": ("aiohttp",),
}
"""Tests that need an extra. A Python may be too new for one. Elsewhere each test says what it needs."""


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """pytester, whose runs print the same in CI as elsewhere: pytest shortens its summary only where no `CI` is set."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    return pytester


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Skip the tests of an extra that isn't installed."""
    return True if _lacking(collection_path) else None


def pytest_report_header() -> list[str]:
    """Report what is skipped."""
    here = Path(__file__).parent
    return [f"tests/{name} is left out: {lacking}" for name in NEEDS if (lacking := _lacking(here / name))]


def _lacking(path: Path) -> str:
    here = Path(__file__).parent
    name = path.relative_to(here).as_posix() if path.is_relative_to(here) else ""
    lacking = [module for module in NEEDS.get(name, ()) if find_spec(module) is None]
    return f"needs {', '.join(lacking)}" if lacking else ""


def pytest_configure() -> None:
    """Give the processes that tests start default signal handlers, whatever started the tests.

    `nohup`, background jobs and some CI systems start this process with ignored signals, which child processes inherit.
    They don't inherit handlers. So a handler that does nothing ignores a signal in this process only.
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
