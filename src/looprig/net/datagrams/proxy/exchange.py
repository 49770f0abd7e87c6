"""One client and the service: the socket on which the service's answers to this client come, and a way each.

Does not read the port (`link` does) and chooses no toxics. Invariant: two clients never share a socket to the service,
so an answer has one client that it can be for.
"""

import asyncio
from typing import Final, final

from looprig.net.datagrams.proxy.course import Stage
from looprig.net.datagrams.proxy.endpoint import Endpoint, Peer
from looprig.toxics.flow import FlowDirection
from looprig.toxics.rule import ConnectionInfo

__all__ = ["Exchange", "Way"]


@final
class Way:
    """One direction of an exchange: its toxics, and how many datagrams there were."""

    __slots__ = ("_endpoint", "_peer", "came", "direction", "exchange", "held", "sent", "stages")

    def __init__(self, exchange: "Exchange", direction: FlowDirection, endpoint: Endpoint, peer: Peer | None) -> None:
        self._endpoint = endpoint
        self._peer = peer
        self.came: int = 0
        self.direction: Final = direction
        self.exchange: Final = exchange
        self.held: int = 0
        self.sent: int = 0
        self.stages: tuple[Stage, ...] = ()

    def send(self, data: bytes) -> bool:
        """Sends a datagram on; False where the kernel takes none for now.

        Raises:
            OSError: it cannot be sent.
        """
        if not self._endpoint.send(data, self._peer):
            return False
        self.sent += 1
        return True


@final
class Exchange:
    """What one client's address and the service send each other."""

    __slots__ = (
        "active_at",
        "client",
        "downstream",
        "endpoint",
        "has_refused",
        "info",
        "is_open",
        "opening",
        "upstream",
    )

    def __init__(self, info: ConnectionInfo, client: Peer, port: Endpoint, service: Endpoint) -> None:
        self.active_at: float = 0.0
        """When a datagram last came, or was sent on."""
        self.client: Final = client
        self.downstream: Final = Way(self, "downstream", port, client)
        self.endpoint: Final = service
        self.has_refused: bool = False
        """Whether it was told that nobody listens where the service is to be."""
        self.info: Final = info
        self.is_open: bool = True
        self.opening: asyncio.Task[None] | None = None
        self.upstream: Final = Way(self, "upstream", service, None)

    @property
    def ways(self) -> tuple[Way, Way]:
        """Upstream, downstream."""
        return self.upstream, self.downstream

    @property
    def held(self) -> int:
        """Datagrams that came and are not sent on yet, both directions together."""
        return self.upstream.held + self.downstream.held

    async def close(self) -> None:
        """Waits until its socket is closed."""
        self.is_open = False
        self.endpoint.close()
        if self.opening is not None:
            await asyncio.wait([self.opening])
        await self.endpoint.wait_closed()
