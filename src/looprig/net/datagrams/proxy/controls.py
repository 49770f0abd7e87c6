"""What users do with a UDP proxy: apply toxics, make the service unreachable, look at what happened.

Does not carry datagrams (`link` does), and does not say what stands behind the proxy (`by_hand` and the service do).
There is no `down` and no reset, as there is none in UDP: who is sent a datagram cannot refuse it while its port is
ours.
"""

from abc import abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, final

from looprig.declare.fields_meta import config_field
from looprig.exceptions import DeclarationError
from looprig.location import Location
from looprig.net.address import Address
from looprig.net.datagrams.proxy.exchange import Exchange
from looprig.net.datagrams.proxy.link import DatagramLink, DatagramSettings
from looprig.net.proxy.fault_controls import FaultControls
from looprig.toxics.udp.toxic import Toxic

__all__ = ["DatagramControls", "ProxyConnection"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@final
class ProxyConnection:
    """What one client's address and the service send each other through a UDP proxy."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def index(self) -> int:
        """Its number, from 0, in the order in which clients came."""
        return self._exchange.info.index

    @property
    def client(self) -> str:
        """The client's address: `host:port`."""
        return self._exchange.info.client

    @property
    def is_open(self) -> bool:
        """Whether the proxy still knows of it: see `idle_timeout`."""
        return self._exchange.is_open

    @property
    def sent_upstream(self) -> int:
        """Datagrams that went on to the service so far."""
        return self._exchange.upstream.sent

    @property
    def sent_downstream(self) -> int:
        """Datagrams that went on to the client so far."""
        return self._exchange.downstream.sent

    @property
    def held(self) -> int:
        """Datagrams that are held back for now, both directions together."""
        return self._exchange.held

    def __repr__(self) -> str:
        return f"<ProxyConnection #{self.index} from {self.client}>"


@dataclass(kw_only=True, eq=False, repr=False)
class DatagramControls(FaultControls[Toxic, DatagramLink]):
    """The base of UDP proxies.

    A "connection" is what one client's address and the service send each other. The service sees each as a client of
    its own; it has to answer from where it was asked.

    Configuration:

    - `host`: to listen on.
    - `seed`: what random faults come from; by default another one in each run, which a failed test shows.
    - `toxics`: those that are on all the time.
    - `idle_timeout`: the seconds without a datagram after which a connection is forgotten, as a router does.
    """

    _protocol = "UDP"

    idle_timeout: float = config_field(60.0)

    # Life

    def _kind(self) -> type[Toxic]:
        return Toxic

    @abstractmethod
    def _upstream(self) -> tuple[str, int]:
        """Where the service listens."""

    async def _begin(self, toxics: Sequence[Toxic], seed: int, owner: tuple[str, Location]) -> DatagramLink:
        if not self.idle_timeout > 0:
            raise DeclarationError(f"{owner[0]} has idle_timeout={self.idle_timeout!r}, which is not above 0.", [owner])
        link = DatagramLink(
            DatagramSettings(
                upstream=self._upstream(), host=self.host, seed=seed, idle_timeout=self.idle_timeout, owner=owner
            )
        )
        await link.open(toxics)
        return link

    async def _end(self, link: DatagramLink) -> None:
        await link.close()

    def _where(self, link: DatagramLink) -> Address:
        return link.address

    @property
    def address(self) -> Address:
        """Host and port, for clients to send to."""
        return self._running().address

    # Faults

    @contextmanager
    def unreachable(self) -> Generator[None, None, None]:
        """Loses all datagrams, of both directions, for the length of a block. Nobody is told.

        What is held back already is on its way, and arrives.
        """
        with self._running().unreachable():
            yield

    # What happened

    @property
    def connections(self) -> tuple[ProxyConnection, ...]:
        """Those that are not forgotten yet, in the order in which they came."""
        return tuple(ProxyConnection(exchange) for exchange in self._running().connections)
