"""The end of a test: after its last fixture is torn down, its left-over tasks are ended, and its own loop is closed.

Does not end anything itself (`hosts` does).

Invariant: a test ends after the teardown of all fixtures that live no longer than the test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.runtime.tasks import RunningTest

if TYPE_CHECKING:
    from looprig.pytest_plugin.run.limits import Limits

__all__ = ["INTERRUPTS", "Ends"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

INTERRUPTS: Final = (KeyboardInterrupt, SystemExit, pytest.exit.Exception)
"""The exceptions that end the run."""


@final
class Ends:
    """The current test. Calls `end` when it ends."""

    def __init__(self, end: Callable[[Any, RunningTest], None], limits: Limits) -> None:
        self._end = end
        self._limits = limits
        self._running: RunningTest | None = None
        self.item: pytest.Item | None = None
        """The current test, if `begin` was called for it."""
        self.at_end: Final[list[Callable[[], object]]] = []
        """Functions to call when the current test ends."""

    def begin(self, item: pytest.Item, function: object = None) -> RunningTest:
        """Return the owner of the tasks that a test starts, if known with its function.

        Call this before any of the test's fixtures is set up.
        """
        if item is self.item and self._running is not None:
            return self._running
        running = self._running = RunningTest(item.name, function or getattr(item, "obj", None))
        self.item = item

        def end() -> None:
            self.item = self._running = None
            try:
                self._end(item, running)
            finally:
                running.is_over = True
                self._limits.current = None
                while self.at_end:
                    self.at_end.pop()()

        item.addfinalizer(end)  # finalizers run in reverse order
        return running
