"""The watch of the processes of a run, which shows in the report of a failed test what they printed during it.

Does not know pytest, or how a process is started: the plugin implements the watch, and `looprig.services.process_life`
the process.
"""

from typing import Protocol

import looprig
from looprig.runtime.tasks import Party

__all__ = ["ProcessWatch", "WatchedProcess", "current_watch"]


class WatchedProcess(Protocol):
    """The part of a process that its watch uses."""

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    def begin_test(self) -> None:
        """Record that a test begins."""

    def output_of_test(self) -> str:
        """Return what was printed since the last call of `begin_test`."""
        ...


class ProcessWatch(Protocol):
    """A watcher of running processes."""

    def begin(self, process: WatchedProcess, service: Party, /) -> None:
        """Record that a process of a service has been started."""

    def pause(self, process: WatchedProcess, /) -> None:
        """Record that a test has ended a process."""

    def resume(self, process: WatchedProcess, /) -> None:
        """Record that a test has started a process again, with another pid."""

    def end(self, process: WatchedProcess, /, *, is_reported: bool) -> None:
        """Record that its service has ended. `is_reported` says that an error shows the end of its output."""


def current_watch() -> ProcessWatch | None:
    """Return the watch of this run, or `None` outside a run."""
    find = looprig.process_watch.get(None)
    return None if find is None else find()
