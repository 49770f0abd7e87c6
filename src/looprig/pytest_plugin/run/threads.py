"""The thread of the services that are declared with `in_thread=True`.

All of them share one thread and one loop, so that they can use each other as services on the loop of a test can. Does
not set them up (`threaded_fixtures` does).

Invariants:
1. The thread runs from the first set-up of such a service until the last one is torn down.
2. A crash of such a service fails the test or fixture that uses it and is running. An async one is cancelled at once.
   Sync code has `PATIENCE` seconds to end by itself, and is then interrupted as by a time limit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.exceptions import FixtureCrashedError, summary
from looprig.pytest_plugin.run.ends import INTERRUPTS
from looprig.runtime.clock import ring_on
from looprig.runtime.limit import Break
from looprig.runtime.operation import running

if TYPE_CHECKING:
    from looprig.pytest_plugin.run.limits import Limits
    from looprig.runtime.fixture import LiveFixture
    from looprig.runtime.host import Host
    from looprig.runtime.loop_thread import LoopThread
    from looprig.runtime.operation import Operation
    from looprig.runtime.tasks import RunningTest

__all__ = ["PATIENCE", "Threads"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

PATIENCE: Final = 0.5
"""Seconds that sync code has to end by itself once a service that it uses has crashed."""


@final
class Threads:
    """The thread of a run's services, if it is open."""

    def __init__(self, limits: Limits, make: Callable[[pytest.Function], Host]) -> None:
        """Start nothing yet. `make` returns the host for the thread, for the test that is the first to use it."""
        self._limits = limits
        self._main: Final = running.operations  # of this thread, to be seen from the other one
        self._make = make
        self.thread: LoopThread | None = None
        """The thread, while it runs."""
        self._users = 0

    # The thread

    def enter(self, item: pytest.Function) -> LoopThread:
        """Return the thread for one more service. Start it if it doesn't run."""
        thread = self.thread
        if thread is None or thread.is_stuck:
            from looprig.runtime.loop_thread import LoopThread, open_threads  # noqa: PLC0415 - only then

            host = self._make(item)
            host.is_in_thread = True
            thread = self.thread = LoopThread(host, "looprig: services")
            open_threads.append(thread)
            self._users = 0
        self._users += 1
        return thread

    def leave(self, thread: LoopThread) -> None:
        """End the thread with its last service."""
        if thread is not self.thread:
            return  # it was stuck, and there is another one
        self._users -= 1
        if self._users:
            return
        from looprig.runtime.loop_thread import open_threads  # noqa: PLC0415 - loaded by `enter`

        self.thread = None
        open_threads.remove(thread)
        thread.close()

    def end_tasks_of(self, owner: RunningTest) -> None:
        """End the tasks that a test started on the loop of the thread and left running."""
        thread = self.thread
        if thread is not None and owner in thread.host.spawners and not thread.is_stuck:
            thread.call(partial(thread.host.end_tasks_of, owner), f"Ending what {owner.name} left")

    # Crashes

    def crashed(self, live: LiveFixture, crash: FixtureCrashedError) -> None:
        """End what uses a service that has crashed. Called in the thread."""
        for operation in [*self._main]:
            if live in operation.needs:
                ring_on(operation.loop, partial(_cancel, operation, live, crash))()
        self._limits.break_sync_code(live, Break(crash, PATIENCE))

    def check(self, needs: frozenset[object], failure: BaseException | None = None) -> None:
        """Raise the crash of a service that a test or fixture needs, in place of its own `failure`, if it has one."""
        if isinstance(failure, (FixtureCrashedError, *INTERRUPTS)):
            return
        if (crash := self._crash_of(needs)) is None:
            return
        if failure is not None:
            crash.add_note(f"What used it then failed: {summary(failure)}")
        raise crash from crash.__cause__

    def _crash_of(self, needs: frozenset[object]) -> FixtureCrashedError | None:
        """Return a crash of one of these fixtures that isn't reported yet. Wait for those that are about to end."""
        thread = self.thread
        if thread is None or thread.is_stuck:
            return None
        if any(getattr(live, "host", None) is thread.host for live in needs):
            thread.settle()
        if not needs.isdisjoint([*thread.host.ending_early]):
            thread.call(partial(thread.host.wait_for_crashes, needs), "The clean-up of a service that ends early")
        for each in needs:
            live: Any = each
            if live.host is thread.host and live.crash is not None and not live.reported:
                live.reported = True
                crash: FixtureCrashedError = live.crash
                return crash
        return None


def _cancel(operation: Operation, live: LiveFixture, crash: FixtureCrashedError) -> None:
    if not operation.is_over:
        live.reported = True
        operation.cancel(crash)
