"""The traffic between one client and the service: a socket for the service's replies, and a pipe in each direction.

Does not read the proxy's port (`link` does) or choose toxics. Invariant: two clients never share a socket to the
service, so a reply is for exactly one client.
"""

import asyncio
from typing import Final, final

from looprig.net.udp.chain import Stage
from looprig.net.udp.endpoint import Endpoint, Peer
from looprig.toxics.flow import FlowDirection
from looprig.toxics.rule import ConnectionInfo

__all__ = ["Connection", "Pipe"]


@final
class Pipe:
    """One direction of a connection: its toxics, and the number of datagrams."""

    __slots__ = ("_endpoint", "_peer", "came", "connection", "direction", "held", "sent", "stages")

    def __init__(
        self, connection: "Connection", direction: FlowDirection, endpoint: Endpoint, peer: Peer | None
    ) -> None:
        self._endpoint = endpoint
        self._peer = peer
        self.came: int = 0
        self.connection: Final = connection
        self.direction: Final = direction
        self.held: int = 0
        self.sent: int = 0
        self.stages: tuple[Stage, ...] = ()

    def send(self, data: bytes) -> bool:
        """Send a datagram on, or return False if the kernel has no room for it now.

        Raises:
            OSError: the datagram can't be sent.
        """
        if not self._endpoint.send(data, self._peer):
            return False
        self.sent += 1
        return True


@final
class Connection:
    """The connection between one client's address and the service."""

    __slots__ = (
        "active_at",
        "client",
        "downstream",
        "endpoint",
        "info",
        "is_open",
        "is_refused",
        "opening",
        "upstream",
    )

    def __init__(self, info: ConnectionInfo, client: Peer, port: Endpoint, service: Endpoint) -> None:
        self.active_at: float = 0.0
        """The time at which a datagram last arrived or was sent on."""
        self.client: Final = client
        self.downstream: Final = Pipe(self, "downstream", port, client)
        self.endpoint: Final = service
        self.info: Final = info
        self.is_open: bool = True
        self.is_refused: bool = False
        """Whether the proxy has reported that nothing listens at the service's address."""
        self.opening: asyncio.Task[None] | None = None
        self.upstream: Final = Pipe(self, "upstream", service, None)

    def pipe(self, direction: FlowDirection) -> Pipe:
        """Return the pipe of a direction."""
        return self.upstream if direction == "upstream" else self.downstream

    @property
    def takes_toxics(self) -> bool:
        """Whether the connection is open."""
        return self.is_open

    @property
    def held(self) -> int:
        """The number of datagrams that have arrived but have not been sent on yet, in both directions together."""
        return self.upstream.held + self.downstream.held

    async def close(self) -> None:
        """Close the socket, and wait until it is closed."""
        self.is_open = False
        self.endpoint.close()
        if self.opening is not None:
            await asyncio.wait([self.opening])
        await self.endpoint.wait_closed()
