"""The watch of a test run, as proxies see it: it provides their seed, and is notified when one opens or closes.

Does not know pytest; the plugin implements the watch, which has errors of other sources too (`looprig.watch.sources`).
Without a watch, a proxy chooses its own seed.

Invariant: the watch is in a context variable, not a global, so that a run inside another has its own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from looprig.exceptions import ProxyError
from looprig.watch import sources

if TYPE_CHECKING:
    from looprig.net.faults.events import ProxyEvent  # it loads toxics, which a run without proxies does not need

__all__ = ["Watch", "Watched", "current_watch"]


class Watched(sources.ErrorSource, Protocol):
    """A proxy as its watch sees it."""

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
        """Return the log of events as text, without the first `since` of them, or nothing if it is of no interest."""
        ...


class Watch(sources.SourceWatch, Protocol):
    """A watcher of open proxies and of other sources of errors."""

    @property
    def seed(self) -> int:
        """The seed for proxies that have none of their own."""
        ...

    @property
    def test(self) -> int:
        """The number of the running test, or of the last one: each has another."""
        ...

    def begin(self, proxy: Watched, /) -> None:
        """Note that a proxy is open."""

    def end(self, proxy: Watched, /) -> None:
        """Note that a proxy is about to close. It will raise the errors that `take_errors` has not returned."""


def current_watch() -> Watch | None:
    """Return who watches the proxies of this run, if anyone does."""
    watch: Watch | None = sources.current_watch()
    return watch
