"""The user's controls of a TCP proxy, beyond those in `faults.controls`: break the link, reset, terminate TLS.

Carries no data (`link` does), and does not say what is behind the proxy (`proxy` and `services.proxy` do).
"""

import ssl
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, final

from looprig.declare.fields_meta import config_field
from looprig.declare.values import DURATION, FLAG, POSITIVE, SECONDS, TEXT, Check, check_values, instance_of
from looprig.exceptions import LooprigError
from looprig.location import caller_location
from looprig.net.address import Address
from looprig.net.authority import Authority
from looprig.net.faults.controls import FaultControls
from looprig.net.faults.log import Party
from looprig.net.tcp.connection import Connection
from looprig.net.tcp.link import Settings, SocketAddress, TcpLink
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["ProxyConnection", "TcpControls"]

__tracebackhide__: Final = True  # the messages say what is wrong

WINDOW: Final = 16 << 20
_GRACE: Final = 0.5
"""Seconds that peers have to read what is left when the proxy ends."""


@final
class ProxyConnection:
    """A client's connection through a proxy."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def index(self) -> int:
        """Its number, from 0, in the order in which clients came."""
        return self._connection.info.index

    @property
    def client(self) -> str:
        """The client's address: `host:port`, or empty for a Unix socket."""
        return self._connection.info.client

    @property
    def is_open(self) -> bool:
        """Whether client and service are connected, and neither is about to be closed by the proxy."""
        return self._connection.state == "open"

    @property
    def sent_upstream(self) -> int:
        """Bytes that were sent on to the service so far."""
        return self._connection.upstream.passed

    @property
    def sent_downstream(self) -> int:
        """Bytes that were sent on to the client so far."""
        return self._connection.downstream.passed

    @property
    def held(self) -> int:
        """Bytes that were read from one side and are not in the other's socket yet, both directions together."""
        return sum(pipe.held for pipe in self._connection.pipes)

    def reset(self) -> None:
        """Reset it on both sides."""
        self._connection.reset_by_test()

    def __repr__(self) -> str:
        return f"<ProxyConnection #{self.index} from {self.client or 'a Unix socket'}>"


@dataclass(kw_only=True, eq=False, repr=False)
class TcpControls(FaultControls[Toxic, TcpLink]):
    """The base of TCP proxies.

    Configuration:

    - `host`: the address to listen on; or `listen_path`, the path of a Unix socket.
    - `seed`: the seed of random faults; by default a new one in each run, which a failed test shows.
    - `window`: the bytes that are held in one direction of a connection before its sender has to wait.
    - `toxics`: the toxics that are on all the time.
    - `connect_timeout`: the seconds that the service has to accept a connection.
    - `terminate_tls`: whether the proxy speaks TLS itself on both sides, so that toxics see what is inside. Clients
      have to trust it: `client_tls` is the context for that. Requires `looprig[tls]`. By default TLS is passed through.
    - `upstream_tls`: the context with which it then trusts the service.
    - `tls_name`: the name that the service's certificate is for; by default the host in its `url` or `address`. The
      proxy's own certificate is for that name too.
    """

    _checks: ClassVar[Mapping[str, Check]] = {
        "listen_path": TEXT.or_none(),
        "window": POSITIVE,
        "connect_timeout": DURATION,
        "terminate_tls": FLAG,
        "upstream_tls": instance_of("an ssl.SSLContext", ssl.SSLContext).or_none(),
        "tls_name": TEXT.or_none(),
    }
    _protocol = "TCP"

    listen_path: str | None = config_field(None)
    window: int = config_field(WINDOW)
    connect_timeout: float = config_field(10.0)
    terminate_tls: bool = config_field(False)
    upstream_tls: ssl.SSLContext | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    tls_name: str | None = config_field(None)
    _authority: Authority | None = field(default=None, init=False)

    @abstractmethod
    def _upstream(self) -> SocketAddress:
        """Return the service's address."""

    def _trusted(self) -> ssl.SSLContext | None:
        """Return the context with which the proxy trusts the service."""
        return self.upstream_tls

    def _known_as(self) -> str | None:
        """Return the host name by which clients of the service know it, if that isn't its address."""
        return self.tls_name

    # Life

    def _toxic_type(self) -> type[Toxic]:
        return Toxic

    async def _begin(self, toxics: Sequence[Toxic], seed: int, owner: Party) -> TcpLink:
        upstream = self._upstream()
        tls: dict[str, Any] = {}
        if self.terminate_tls:
            host = upstream[0] if isinstance(upstream, tuple) else "localhost"
            name = self._known_as() or host
            names = dict.fromkeys((self.host, name, host, "localhost"))
            authority = self._authority = self._authority or Authority(*names)
            trusted = self._trusted() or ssl.create_default_context()
            tls = {"client_tls": authority.server_context(), "service_tls": trusted, "service_name": name}
        link = TcpLink(
            Settings(
                upstream=upstream,
                host=None if self.listen_path is not None else self.host,
                path=self.listen_path,
                seed=seed,
                window=self.window,
                connect_timeout=self.connect_timeout,
                owner=owner,
                **tls,
            )
        )
        await link.open(toxics)
        return link

    async def _end(self, link: TcpLink) -> None:
        await link.close(_GRACE)

    def _where(self, link: TcpLink) -> tuple[str, int] | str:
        return link.listener.address

    # Where

    @property
    def address(self) -> Address:
        """Host and port, for clients to connect to."""
        address = self._running().listener.address
        if isinstance(address, tuple):
            return Address(*address)
        raise LooprigError(f"{self._label()} listens on a Unix socket: use its `path`.")

    @property
    def path(self) -> str:
        """The Unix socket for clients to connect to, if the proxy has `listen_path`."""
        address = self._running().listener.address
        if isinstance(address, str):
            return address
        raise LooprigError(f"{self._label()} listens on a port: use its `address`.")

    @property
    def client_tls(self) -> ssl.SSLContext | None:
        """The context with which a client trusts the proxy, if it terminates TLS."""
        return None if self._authority is None else self._authority.client_context()

    # Faults of the link

    def down(self, *, reset: bool = True) -> AbstractContextManager[None]:
        """Refuse new connections (ECONNREFUSED) for the length of a block, while the port stays ours.

        Open ones are reset first, unless `reset=False`.
        """
        check_values(f"{self._label()}.down", [("reset", reset, FLAG)])
        return self._block(self._down(reset=reset), "down()", caller_location())

    @contextmanager
    def _down(self, *, reset: bool) -> Generator[None, None, None]:
        link = self._running()
        with link.put("down"):
            if reset:
                link.reset_now("by down()")
            yield

    def unreachable(self) -> AbstractContextManager[None]:
        """Drop the packets of new connections (SYN) for the length of a block, so that connecting takes forever.

        A client that tries gets through after the block, at its next attempt (after 1, 3, 7 ... seconds). Open
        connections stay.

        Raises `LooprigError` outside Linux, and for a Unix socket.
        """
        return self._block(self._running().put("unreachable"), "unreachable()", caller_location())

    def accept_paused(self) -> AbstractContextManager[None]:
        """Let new clients connect for the length of a block, but serve none of them until it ends."""
        return self._block(self._running().put("paused"), "accept_paused()", caller_location())

    async def reset_all(self) -> None:
        """Reset every connection, even one still being made, and wait until their sockets are closed."""
        await self._running().reset_all("by reset_all()")

    async def disconnect_all(self, *, grace: float = 5.0) -> None:
        """End every connection in good order (FIN). What is held is written first, and what a toxic awaits.

        A connection is reset if after `grace` seconds its peer has not read everything, or a toxic still awaits
        something.
        """
        check_values(f"{self._label()}.disconnect_all", [("grace", grace, SECONDS)])
        await self._running().disconnect_all(grace, "by disconnect_all()")

    # What happened

    @property
    def connections(self) -> tuple[ProxyConnection, ...]:
        """The connections that are not closed yet, in the order in which they came."""
        return tuple(ProxyConnection(connection) for connection in self._running().connections)
