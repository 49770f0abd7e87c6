"""The user's controls of a UDP proxy, in addition to those in `faults.controls`: lose everything, list connections.

Carries no data (`link` does), and does not know the service behind the proxy (`proxy` and `services.udp_proxy` do).
There is no `down` and no reset, as UDP has neither: while the proxy has the port, a datagram to it can't be refused.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Final, final

from looprig._short_names import short_names
from looprig.declare.fields_meta import config_field
from looprig.declare.values import DURATION, Check
from looprig.location import caller_location
from looprig.net.address import Address
from looprig.net.faults.controls import FaultControls
from looprig.net.faults.log import Party
from looprig.net.udp.connection import Connection
from looprig.net.udp.link import Settings, UdpLink
from looprig.toxics.udp.toxic import Toxic

__all__ = ["ProxyConnection", "UdpControls"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_PATIENCE: Final = Check(
    f"{DURATION.expected}, or math.inf", lambda seconds: seconds == math.inf or DURATION.accepts(seconds)
)


@final
class ProxyConnection:
    """The traffic between one client's address and the service, through a UDP proxy."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def index(self) -> int:
        """Its number, from 0, in the order in which clients came."""
        return self._connection.info.index

    @property
    def client(self) -> str:
        """The client's address: `host:port`."""
        return self._connection.info.client

    @property
    def is_open(self) -> bool:
        """Whether the proxy still knows the connection (see `idle_timeout`)."""
        return self._connection.is_open

    @property
    def sent_upstream(self) -> int:
        """Number of datagrams sent on to the service so far."""
        return self._connection.upstream.sent

    @property
    def sent_downstream(self) -> int:
        """Number of datagrams sent on to the client so far."""
        return self._connection.downstream.sent

    @property
    def held(self) -> int:
        """Number of datagrams that are held back now, in both directions together."""
        return self._connection.held

    def __repr__(self) -> str:
        return f"<ProxyConnection #{self.index} from {self.client}>"


@short_names
@dataclass(kw_only=True, eq=False, repr=False)
class UdpControls(FaultControls[Toxic, UdpLink]):
    """The base class of UDP proxies.

    A "connection" is the traffic between one client's address and the service. The service sees each connection as a
    different client, and has to reply from the address that received the request.

    Configuration:

    - `host`: the address to listen on.
    - `seed`: the seed of random faults; by default a new one in each run, which a failed test shows.
    - `toxics`: the toxics that apply all the time.
    - `idle_timeout`: the number of seconds without a datagram after which the proxy forgets a connection, as a router
      does; `math.inf` for never.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"idle_timeout": _PATIENCE}
    _protocol = "UDP"

    idle_timeout: float = config_field(60.0)

    @abstractmethod
    def _upstream(self) -> tuple[str, int]:
        """Return the service's address."""

    def _toxic_type(self) -> type[Toxic]:
        return Toxic

    async def _begin(self, toxics: Sequence[Toxic], seed: int, owner: Party) -> UdpLink:
        link = UdpLink(
            Settings(upstream=self._upstream(), host=self.host, seed=seed, idle_timeout=self.idle_timeout, owner=owner)
        )
        await link.open(toxics)
        return link

    async def _end(self, link: UdpLink) -> None:
        await link.close()

    def _where(self, link: UdpLink) -> Address:
        return link.address

    @property
    def address(self) -> Address:
        """Host and port, for clients to send to."""
        return self._running().address

    def unreachable(self) -> AbstractContextManager[None]:
        """Lose all datagrams, in both directions, until the block ends. Neither side is notified.

        Datagrams that a toxic is already delaying still arrive.
        """
        return self._block(self._running().unreachable(), "unreachable()", caller_location())

    @property
    def connections(self) -> tuple[ProxyConnection, ...]:
        """The connections that the proxy still knows, in order of arrival."""
        return tuple(ProxyConnection(connection) for connection in self._running().connections)
