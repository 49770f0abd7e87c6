"""Who watches the proxies of a test run: gives them their seed, and is told which are there.

Does not know pytest: its plugin is the watch there. Without one a proxy is on its own, and makes up its seed.

Invariant: a context variable, not a module's global, so that one run in another has a watch of its own.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from looprig.net.proxy.fault_controls import FaultControls

__all__ = ["Watch", "current_watch"]


class Watch(Protocol):
    """Watches proxies from when they are open until they close."""

    @property
    def seed(self) -> int:
        """For those that have none of their own."""
        ...

    def begin(self, proxy: "FaultControls[Any, Any]") -> None:
        """A proxy is open."""
        ...

    def end(self, proxy: "FaultControls[Any, Any]") -> None:
        """A proxy is about to close, and raises by itself what nobody takes until then."""
        ...


current_watch: Final[ContextVar[Watch]] = ContextVar("looprig.proxy_watch")
