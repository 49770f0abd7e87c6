"""Phases of tests that take longer than the default time limit.

Does not end them: `looprig.runtime.limit` does. A limit that the suite sets doesn't need this watchdog.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from looprig.watch.patrol import Guard, Sight

__all__ = ["DEFAULT_LIMIT", "Hangs"]

DEFAULT_LIMIT: Final = 60.0
"""Seconds for each phase of a test, if the suite sets no limit."""


@final
class Hangs(Guard):
    """A guard that calls `late` once for each phase that takes too long.

    `phase` returns the current phase, as an object of its own, or `None` while no limit applies.
    """

    def __init__(self, phase: Callable[[], object], late: Callable[[], None]) -> None:
        self._current: object = None
        self._late = late
        self._phase = phase
        self._since = 0.0

    def look(self, sight: Sight) -> None:
        """Compare the current phase with that of the last look."""
        phase = self._phase()
        if phase is None or phase != self._current:
            self._current, self._since = phase, sight.at
        elif sight.at - self._since >= DEFAULT_LIMIT:
            self._since = float("inf")
            self._late()
