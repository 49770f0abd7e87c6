"""The watch of a test run, which provides the seed of proxies, and is notified when one opens or closes.

Does not know pytest: the plugin implements the watch, which also collects errors of other sources
(`looprig.watch.sources`). Without a watch, a proxy chooses its own seed.

Invariant: the watch is in a context variable, not a global, so that a nested run has its own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from looprig.exceptions import ProxyError
from looprig.watch import sources

if TYPE_CHECKING:
    from looprig.net.faults.events import ProxyEvent  # this loads toxics, which a run without proxies doesn't need

__all__ = ["Watch", "Watched", "current_watch"]


class Watched(sources.ErrorSource, Protocol):
    """The part of a proxy that its watch uses."""

    began: float
    """The time that events count from, in seconds of `time.monotonic`."""
    label: str
    seed: int | None

    @property
    def event_count(self) -> int:
        """The number of events so far."""
        ...

    @property
    def events(self) -> "Sequence[ProxyEvent]":
        """The newest events."""
        ...

    def take_errors(self) -> list[ProxyError]:
        """Return the errors since the last call, which count as handled from now on."""
        ...

    def render(self, *, since: int) -> str:
        """Return the log of events as text, without the first `since` events, or "" if nothing is worth showing."""
        ...


class Watch(sources.SourceWatch, Protocol):
    """A watcher of open proxies and of other sources of errors."""

    @property
    def seed(self) -> int:
        """The seed for proxies that have none of their own."""
        ...

    @property
    def test(self) -> int:
        """The number of the running test, or of the last one. Each test has a different number."""
        ...

    def begin(self, proxy: Watched, /) -> None:
        """Record that a proxy has opened."""

    def end(self, proxy: Watched, /) -> None:
        """Record that a proxy is about to close. It will raise the errors that `take_errors` has not returned."""


def current_watch() -> Watch | None:
    """Return the watch of this run, if there is one."""
    watch: Watch | None = sources.current_watch()
    return watch
