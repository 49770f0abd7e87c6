"""The connections that the clients of one service share, so that not every test has to open a new one.

A client that users create has connections of its own. Knows nothing of cookies or headers: each client has its own.

Invariants:
1. Shared connections live on one loop, and are closed before the service stops.
2. A connection that the service has closed in the meantime is not used again.
"""

import asyncio
import ssl
from typing import TYPE_CHECKING, Final, final

from looprig._extras import LazyModule, import_extra

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = LazyModule("aiohttp", extra="aiohttp", needed_for="looprig.TestClient")

__all__ = ["Connections"]

_IDLE: Final = 1.0
"""Seconds after which an idle connection is not used again. Servers keep idle connections for longer."""
_STILL: Final = 0.02
"""Seconds since the last client began. In less time, no service closes an idle connection."""
_ROUNDS: Final = 2
"""Number of iterations the loop needs to notice that a connection was closed while the loop was stopped."""


@final
class Connections:
    """A pool of connections, opened on `loop` as they are needed. `tls` is the context for a service that speaks TLS.

    Raises `ExtraMissingError` if aiohttp isn't installed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext | None) -> None:
        import_extra("aiohttp", extra="aiohttp", needed_for="looprig.TestClient")
        self.loop: Final = loop
        self.connector: Final = aiohttp.TCPConnector(loop=loop, ssl=tls or True, keepalive_timeout=_IDLE)
        self._used: float | None = None

    async def settle(self) -> None:
        """Let the loop notice connections that were closed while it was stopped, before a client's first request."""
        now = self.loop.time()
        if self._used is not None and now - self._used > _STILL:
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
        self._used = now

    async def close(self) -> None:
        """Close all connections."""
        await self.connector.close()
