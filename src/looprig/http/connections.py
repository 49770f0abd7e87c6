"""The connections that the clients of one service share, so that not every test has to open a new one.

A client that users create has connections of its own. Knows nothing of cookies or headers: each client has its own.

Invariants:
1. Shared connections live on one loop, and are closed before the service stops.
2. A connection that the service has closed in the meantime is not used again.
"""

import asyncio
import ssl
from selectors import BaseSelector
from typing import TYPE_CHECKING, Any, Final, final

from looprig._extras import LazyModule, import_extra
from looprig.posix import is_posix, posix_missing

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = LazyModule("aiohttp", extra="aiohttp", needed_for="looprig.TestClient")

__all__ = ["Connections"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_IDLE: Final = 1.0
"""Seconds after which an idle connection is not used again. Servers keep idle connections for longer."""
_ROUNDS: Final = 6
"""Number of iterations of the loop in which a service on it closes what it wants to, and the client notices.

The service's timer, its close, the end of its socket and the client's view of it each take one.
"""


@final
class Connections:
    """A pool of connections, opened on `loop` as they are needed.

    `tls` is the context for a service that speaks TLS. `path` is the Unix socket of a service that listens on one.

    Their number has no limit: a test may need them all at once. Raises `ExtraMissingError` if aiohttp isn't installed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext | None, path: str | None = None) -> None:
        import_extra("aiohttp", extra="aiohttp", needed_for="looprig.TestClient")
        if path is not None and not is_posix():
            what = f"A TestClient of the Unix socket {path}"
            raise posix_missing(what, (), "give the service a `url` with a host and port.")
        self.loop: Final = loop
        self.connector: Final[aiohttp.BaseConnector] = (
            aiohttp.TCPConnector(loop=loop, ssl=tls or True, keepalive_timeout=_IDLE, limit=0, limit_per_host=0)
            if path is None
            else aiohttp.UnixConnector(path, loop=loop, keepalive_timeout=_IDLE, limit=0, limit_per_host=0)
        )
        self._are_fresh = True
        self.spare: Final[list[aiohttp.ClientSession]] = []
        """Sessions that keep nothing of the clients that used them, for the next ones."""

    async def settle(self) -> None:
        """Let the loop notice connections that the service has closed. Call it before each request.

        The loop stands still between tests, and while code in a test blocks it. Without this call, aiohttp might send
        the request over a closed connection. Then it would fail, or send the request a second time.
        """
        if self._are_fresh:  # none is open yet
            self._are_fresh = False
            return
        for _ in range(_ROUNDS):
            if not _has_news(self.loop):
                return
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Close all connections."""
        for session in self.spare:
            session.detach()
        await self.connector.close()


def _has_news(loop: Any) -> bool:
    """Return whether a loop has anything to run now: a callback, a timer that is due, or a socket that is ready.

    True for a loop that isn't one of asyncio's own, and so doesn't tell.
    """
    ready = getattr(loop, "_ready", None)
    timers = getattr(loop, "_scheduled", None)
    selector: Any = getattr(loop, "_selector", None)
    if ready is None or timers is None or not isinstance(selector, BaseSelector):
        return True
    return bool(ready) or bool(timers and timers[0].when() <= loop.time()) or bool(selector.select(0))
