"""The guards of a run, which the patrol tells what the main thread does, and what follows when one finds something.

Does not look for anything itself (`blocking`, `deadlocks` and `hangs` in `looprig.watch` do).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.exceptions import DeadlockError, LooprigError
from looprig.pytest_plugin._compat.terminal import uncaptured, write_lines
from looprig.pytest_plugin.run.limits import Limits
from looprig.runtime.clock import ring_on
from looprig.runtime.operation import running
from looprig.watch.blocking import Blocking
from looprig.watch.deadlocks import Deadlocks
from looprig.watch.descriptions import Finding
from looprig.watch.hangs import DEFAULT_LIMIT, Hangs
from looprig.watch.patrol import Patrol

if TYPE_CHECKING:
    from looprig.pytest_plugin.watch.watchdogs import Watchdogs

__all__ = ["Guards"]


@final
class Guards:
    """The guards of a run. Create it in the thread that runs the tests."""

    def __init__(self, config: pytest.Config, watchdogs: Watchdogs, limits: Limits, threshold: float) -> None:
        self._config = config
        self._limits = limits
        self._operations = running.operations
        self._watchdogs = watchdogs
        self.patrol: Final = Patrol(
            lambda: watchdogs.is_open and not limits.is_debugged,
            (
                Blocking(threshold, watchdogs.note_block, lambda: watchdogs.phase),
                Deadlocks(self._operations, self._ends_for, harmless=int(_dumps_tracebacks_later(config))),
                Hangs(lambda: watchdogs.phase if limits.has_default else None, self._hangs),
            ),
        )

    def _ends_for(self, error: DeadlockError) -> bool:
        """Return whether a deadlock ends what runs. If it doesn't, it is shown at once, since it may wait for ever."""
        policy = self._watchdogs.policy("deadlocks")
        if policy == "warn":
            self._show(Finding("deadlocks", error))
        return policy == "error"

    def _hangs(self) -> None:
        """End the phase that takes too long, or only show where it waits. Called in another thread."""
        phase = self._watchdogs.phase
        policy = self._watchdogs.policy("hangs")
        if phase is None or policy == "off" or _has_other_limit(phase[0]):
            return
        if policy == "error":
            self._limits.expire(*phase, DEFAULT_LIMIT)
        elif self._operations:
            loop, what = self._operations[-1].loop, self._operations[-1].what
            ring_on(loop, partial(self._show_hang, self._limits.error(*phase, DEFAULT_LIMIT, what)))()

    def _show_hang(self, error: LooprigError) -> None:
        from looprig.runtime.waits import notes_on  # noqa: PLC0415 - most runs have no hang

        if self._operations:
            operation = self._operations[-1]
            for note in notes_on(operation.loop, operation.target, with_target=True):
                error.add_note(note)
        self._show(Finding("hangs", error))

    def _show(self, finding: Finding) -> None:
        self._watchdogs.note(finding)
        text = "\n".join((str(finding.error), *getattr(finding.error, "__notes__", ())))
        with uncaptured(self._config):
            write_lines(self._config, ["", *text.splitlines()])


def _dumps_tracebacks_later(config: pytest.Config) -> bool:
    """Return whether a thread of faulthandler's, which Python doesn't know, waits beside each test."""
    return config.pluginmanager.hasplugin("faulthandler") and float(config.getini("faulthandler_timeout") or 0) > 0


def _has_other_limit(item: pytest.Item) -> bool:
    """Return whether pytest-timeout limits the test, perhaps to a longer time."""
    return getattr(item.config, "_env_timeout", None) is not None or item.get_closest_marker("timeout") is not None
