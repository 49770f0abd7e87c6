"""The fixtures that looprig gives every suite; each can be overridden in a conftest, module or class.

Does not open loops: `loop` is answered by `hosts`, anew for each request.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__: list[str] = []


@pytest.fixture(scope="session")
def loop() -> "AbstractEventLoop":
    """The event loop that the test and its fixtures run on. Every scope may ask for it."""
    raise AssertionError("answered by looprig.pytest_plugin.hosts")


@pytest.fixture(scope="session")
def event_loop() -> "AbstractEventLoop":
    """The event loop that the test and its fixtures run on: another name for `loop`."""
    raise AssertionError("answered by looprig.pytest_plugin.hosts")


@pytest.fixture(scope="session")
def loop_factory() -> "Callable[[], AbstractEventLoop]":
    """Makes the loops. Override it, parametrized or not, to run tests on other loops."""
    import asyncio  # noqa: PLC0415 - not before a test asks

    return asyncio.new_event_loop


@pytest.fixture(scope="session")
def thread_pool_executor() -> Callable[[int], ThreadPoolExecutor]:
    """The class, or a factory, of the loops' executors: called with the number of threads."""
    return ThreadPoolExecutor


@pytest.fixture(scope="session")
def thread_pool_size(pytestconfig: pytest.Config) -> int:
    """How many threads the loops' executors have: `--loop-pool-size`, by default 4."""
    size: int | None = pytestconfig.getoption("loop_pool_size")
    return size or int(pytestconfig.getini("loop_pool_size") or 4)
