"""A limit for tests that can hang: they fail, and show where each task waits or where the code spins.

The limit is `LIMIT` seconds, or what `@looprig.timeout` says. It counts real time with the system's alarm, since some
of these tests look at the loop's timers. Systems without SIGALRM have no limit.
"""

import asyncio
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import pytest

from looprig.pytest_plugin.markers import timeout_of
from looprig.runtime.stacks import waits_at

__all__ = ["LIMIT", "limit_of", "limited", "no_hang", "run_on"]

LIMIT: Final = 60.0
"""Seconds that a test may take; most take less than one."""

_GRACE: Final = 5.0
"""Seconds that a cancelled scenario has to end."""

_SHOWN: Final = 20
"""The number of tasks whose stacks a failure shows, starting with the scenario's."""


@dataclass
class _Scenario:
    task: "asyncio.Task[Any]"
    waiting: str = ""
    """The stacks of its tasks when the limit passed."""

    def cancel(self) -> None:
        loop = self.task.get_loop()
        tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task is not self.task)
        for task in tasks[:_SHOWN]:
            self.waiting += "\n".join((f"\n{task.get_name()} waits at", *waits_at(task)))
        if len(tasks) > _SHOWN:
            self.waiting += f"\n... and {len(tasks) - _SHOWN} more tasks."
        loop.call_soon_threadsafe(self.task.cancel)  # a signal alone doesn't wake the loop


_scenarios: Final[list[_Scenario]] = []
"""The scenario that is running."""


def limit_of(item: pytest.Item) -> float:
    """Return the seconds that a test may take."""
    return timeout_of(item) or LIMIT


def run_on(factory: Callable[[], asyncio.AbstractEventLoop], scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario on its own loop, and cancel it when the limit around it passes."""
    begun: list[_Scenario] = []

    async def noted() -> None:
        task = asyncio.current_task()
        assert task is not None
        begun.append(_Scenario(task))
        _scenarios.extend(begun)
        try:
            await scenario
        finally:
            _scenarios.remove(*begun)

    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(noted())
    except BaseException as error:
        if late := _late(begun):
            raise late.with_traceback(error.__traceback__) from error
        raise
    if late := _late(begun):  # the scenario swallowed its cancellation
        raise late


def _late(begun: list[_Scenario]) -> BaseException | None:
    waiting = begun[0].waiting if begun else ""
    return pytest.fail.Exception(f"The scenario took too long.{waiting}") if waiting else None


@contextmanager
def limited(seconds: float, grace: float = _GRACE) -> Generator[None, None, None]:
    """Cancel a scenario in the block after some seconds; `grace` seconds later, raise wherever it is."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def ring(_signum: int, frame: FrameType | None) -> None:
        if _scenarios and not _scenarios[-1].waiting:
            _scenarios[-1].cancel()
            return
        # A loop may mistake the error for a callback's and go on, so the stack is printed too.
        sys.stderr.write(f"Still running:\n{''.join(traceback.format_stack(frame))}")
        pytest.fail(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, grace)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def no_hang(request: pytest.FixtureRequest) -> Iterator[None]:
    """Limit each test. A conftest re-exports this fixture."""
    with limited(limit_of(request.node)):
        yield
