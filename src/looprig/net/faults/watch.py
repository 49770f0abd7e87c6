"""Who watches the proxies of a test run: gives them their seed, and learns when one opens or closes.

Does not know pytest: its plugin is the watch there. A proxy that no one watches chooses a seed of its own.

Invariant: a context variable, not a module's global, so that a run inside another has a watch of its own.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

from looprig.exceptions import ProxyError

if TYPE_CHECKING:
    from looprig.net.faults.events import ProxyEvent  # it loads toxics, which a run without proxies does not need

__all__ = ["Watch", "Watched", "current_watch"]


class Watched(Protocol):
    """A proxy as its watch sees it."""

    seed: int | None

    @property
    def event_count(self) -> int:
        """How many events there have been."""
        ...

    @property
    def events(self) -> "Sequence[ProxyEvent]":
        """The newest of them."""
        ...

    def take_errors(self) -> list[ProxyError]:
        """Return the errors that were not taken yet, which count as seen from now on."""
        ...

    def render(self, *, since: int) -> str:
        """Return the log of events as text, without the first `since` of them."""
        ...


class Watch(Protocol):
    """Watches proxies from when they are open until they close."""

    @property
    def seed(self) -> int:
        """The seed for proxies that have none of their own."""
        ...

    def begin(self, proxy: Watched, /) -> None:
        """Take note that a proxy is open."""
        ...

    def end(self, proxy: Watched, /) -> None:
        """Take note that a proxy is about to close. It raises the errors itself that no one takes before."""
        ...


current_watch: Final[ContextVar[Watch]] = ContextVar("looprig.proxy_watch")
