"""The processes of a run: adds what they printed during a failed test to its report.

Does not start or stop processes. A run without any pays nothing, since the watcher is added when the first one starts.

Invariants:
1. The report of a failed test shows the output of each process that was alive during the test, and only what was
   printed during that test.
2. What an error shows is not shown again, unless all of the output is shown.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.pytest_plugin.watch.hooks import always, watchers_of
from looprig.runtime.tasks import Party
from looprig.watch.processes import WatchedProcess
from looprig.watch.watcher import WatchedTest, Watcher

if TYPE_CHECKING:
    from looprig.pytest_plugin.watch.timeline import Timeline  # most runs have none

__all__ = ["Processes"]

_TAIL: Final = 20
"""Number of lines that are shown of each process, unless `-vv` was given."""


@final
class Processes(Watcher):
    """The processes of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._timeline: Timeline | None = config.pluginmanager.get_plugin("looprig.timeline")
        self._live: dict[WatchedProcess, Party] = {}
        self._ended: list[tuple[WatchedProcess, Party]] = []
        self._has_joined = False
        self._paused: set[WatchedProcess] = set()
        self._is_whole = config.get_verbosity() > 1

    # Called by services (`ProcessWatch`)

    def begin(self, process: WatchedProcess, service: Party) -> None:
        """Record that a process of a service has been started."""
        if not self._has_joined:
            self._has_joined = True
            watchers_of(self._config).add(self, always, is_first=True)
        self._live[process] = service
        self.resume(process)

    def pause(self, process: WatchedProcess) -> None:
        """Record that a test has ended a process."""
        if self._timeline is not None and process not in self._paused:
            self._paused.add(process)
            self._timeline.end(process)

    def resume(self, process: WatchedProcess) -> None:
        """Record that a process runs, for the first time or again."""
        self._paused.discard(process)
        if self._timeline is not None:
            name, location = self._live[process]
            self._timeline.begin(process, "process", name, pid=process.pid, at=str(location))

    def end(self, process: WatchedProcess, *, is_reported: bool) -> None:
        """Record that the service of a process has ended."""
        self.pause(process)
        self._paused.discard(process)
        service = self._live.pop(process)
        if self._is_whole or not is_reported:
            self._ended.append((process, service))

    # Called for tests (`Watcher`)

    def begin_test(self, test: WatchedTest) -> None:
        """Start over: what is printed from now on belongs to this test."""
        self._ended.clear()
        for process in self._live:
            process.begin_test()

    def sections(self, test_id: str) -> Sequence[tuple[str, str]]:
        """Return what each process printed during the test."""
        return [*self._sections((*self._live.items(), *self._ended))]

    def _sections(self, processes: Iterable[tuple[WatchedProcess, Party]]) -> Iterable[tuple[str, str]]:
        for process, (name, location) in processes:
            lines = process.output_of_test().splitlines()
            left_out = 0 if self._is_whole else len(lines) - _TAIL
            if left_out > 0:
                lines[:left_out] = [f"... ({left_out} lines before, which -vv shows)"]
            if lines:
                yield f"Output of {name} during this test ({location})", "\n".join(lines)
