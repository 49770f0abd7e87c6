"""The ends of tests: after the last fixture of a test is torn down, its left-over tasks end, and then its own loop.

Does not end anything itself (`hosts` does).

Invariant: the end of a test comes after the teardown of each fixture that lives no longer than the test.
"""

from collections.abc import Callable
from typing import Any, Final, final

import pytest

from looprig.pytest_plugin.run.limits import Limits
from looprig.runtime.tasks import RunningTest

__all__ = ["Ends"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Ends:
    """The current test, for which `end` is called at its end."""

    def __init__(self, end: Callable[[Any, RunningTest], None], limits: Limits) -> None:
        self._end = end
        self._limits = limits
        self._running: RunningTest | None = None
        self.item: pytest.Item | None = None
        """The current test, if `begin` was called for it."""

    def begin(self, item: pytest.Item) -> RunningTest:
        """Return the owner of the tasks that a test starts. Call this before anything of the test is set up."""
        if item is self.item and self._running is not None:
            return self._running
        running = self._running = RunningTest(item.name, getattr(item, "obj", None))
        self.item = item

        def end() -> None:
            self.item = self._running = None
            try:
                self._end(item, running)
            finally:
                running.is_over = True
                self._limits.end()

        item.addfinalizer(end)  # finalizers run in reverse order
        return running
