"""The ends of tests: when all fixtures of a test are torn down, what it left over is ended, and then its own loop.

Does not end anything itself (`hosts` does).

Invariant: the end of a test comes after the teardown of each fixture that lives no longer than the test.
"""

from collections.abc import Callable
from typing import Any, Final, final

import pytest

from looprig.runtime.operation import Limit
from looprig.runtime.tasks import RunningTest

__all__ = ["Ends"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@final
class Ends:
    """Knows the test that runs, and has `end` called at its end."""

    def __init__(self, end: Callable[[Any, RunningTest], None]) -> None:
        self._end = end
        self._item: pytest.Item | None = None
        self._running: RunningTest | None = None
        self.limit: Limit | None = None
        """The limit of the phase that runs."""

    def begin(self, item: pytest.Item) -> RunningTest:
        """Return the owner of what the test starts. Its end is registered before anything else of the test."""
        if item is self._item and self._running is not None:
            return self._running
        running = self._running = RunningTest(item.name, getattr(item, "obj", None))
        self._item = item

        def end() -> None:
            self._item = self._running = None
            try:
                self._end(item, running)
            finally:
                running.is_over = True
                self.limit = None

        item.addfinalizer(end)  # finalizers run in reverse
        return running
