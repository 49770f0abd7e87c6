"""The connections that the clients of one service share, so that each test does not begin with a new one.

A client made by hand has connections of its own. Does not know of cookies or headers: those are each client's.

Invariants:
1. What is shared lives on one loop, and is closed before the service is.
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
"""Seconds after which an idle connection is not used again; servers keep them for longer."""
_STILL: Final = 0.02
"""Seconds since the latest client began that a service needs at least to close one, if it does at all."""
_ROUNDS: Final = 2
"""How often the loop has to come round until it has seen that a connection was closed while it stood still."""


@final
class Connections:
    """Opened on `loop` as they are needed; `tls` is what a client trusts a service by that speaks it.

    Raises `ExtraMissingError` where aiohttp is not installed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext | None) -> None:
        import_extra("aiohttp", extra="aiohttp", needed_for="looprig.TestClient")
        self.loop: Final = loop
        self.connector: Final = aiohttp.TCPConnector(loop=loop, ssl=tls or True, keepalive_timeout=_IDLE)
        self._used: float | None = None

    async def settle(self) -> None:
        """Has the loop see which of them were closed while it stood still; for the first request of each client."""
        now = self.loop.time()
        if self._used is not None and now - self._used > _STILL:
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
        self._used = now

    async def close(self) -> None:
        """Closes them all."""
        await self.connector.close()
