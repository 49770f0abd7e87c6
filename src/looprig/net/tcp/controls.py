"""The user's controls of a TCP proxy, in addition to those in `faults.controls`: break the link, reset, terminate TLS.

Carries no data (`link` does), and does not know the service behind the proxy (`proxy` and `services.proxy` do).
"""

import ssl
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, final

from looprig._short_names import short_names
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

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

WINDOW: Final = 16 << 20
_GRACE: Final = 0.5
"""Seconds that peers have to read the remaining data when the proxy ends."""


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
        """Whether client and service are connected, and the proxy isn't about to close either."""
        return self._connection.state == "open"

    @property
    def sent_upstream(self) -> int:
        """Number of bytes sent on to the service so far."""
        return self._connection.upstream.passed

    @property
    def sent_downstream(self) -> int:
        """Number of bytes sent on to the client so far."""
        return self._connection.downstream.passed

    @property
    def held(self) -> int:
        """Number of bytes read from one side and not yet in the other's socket, in both directions together."""
        return sum(pipe.held for pipe in self._connection.pipes)

    def reset(self) -> None:
        """Reset the connection on both sides."""
        self._connection.reset_by_test()

    def __repr__(self) -> str:
        return f"<ProxyConnection #{self.index} from {self.client or 'a Unix socket'}>"


@short_names
@dataclass(kw_only=True, eq=False, repr=False)
class TcpControls(FaultControls[Toxic, TcpLink]):
    """The base class of TCP proxies.

    Configuration:

    - `host`: the address to listen on; or `listen_path`, the path of a Unix socket.
    - `seed`: the seed of random faults; by default a new one in each run, which a failed test shows.
    - `window`: the number of bytes to hold in one direction of a connection before the sender has to wait.
    - `toxics`: the toxics that apply all the time.
    - `connect_timeout`: the number of seconds that the service has to accept a connection.
    - `terminate_tls`: whether the proxy speaks TLS itself on both sides, so that toxics see what is inside. Clients
      have to trust it: `client_tls` is the context for that. Requires `looprig[tls]`. By default TLS is passed through.
    - `upstream_tls`: the context with which the proxy then connects to the service.
    - `tls_name`: the name in the service's certificate, by default the host in its `url` or `address`. The proxy's own
      certificate has that name too.
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
    upstream_tls: ssl.SSLContext | None = config_field(None)  # noqa: RUF009 - it returns a dataclass field
    tls_name: str | None = config_field(None)
    _authority: Authority | None = field(default=None, init=False)

    @abstractmethod
    def _upstream(self) -> SocketAddress:
        """Return the service's address."""

    def _trusted(self) -> ssl.SSLContext | None:
        """Return the context with which the proxy connects to the service."""
        return self.upstream_tls

    def _known_as(self) -> str | None:
        """Return the host name by which clients know the service, if that isn't its address."""
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
        """Refuse new connections (ECONNREFUSED) until the block ends. The port stays bound.

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
        """Drop the packets of new connections (SYN) until the block ends, so that clients wait forever.

        A waiting client connects after the block, when its kernel tries again (after 1, 3, 7 ... seconds). Open
        connections stay.

        Raises `LooprigError` outside Linux, and for a Unix socket.
        """
        return self._block(self._running().put("unreachable"), "unreachable()", caller_location())

    def accept_paused(self) -> AbstractContextManager[None]:
        """Let new clients connect, but don't serve them until the block ends."""
        return self._block(self._running().put("paused"), "accept_paused()", caller_location())

    async def reset_all(self) -> None:
        """Reset every connection, even one still being made, and wait until their sockets are closed."""
        await self._running().reset_all("by reset_all()")

    async def disconnect_all(self, *, grace: float = 5.0) -> None:
        """End every connection gracefully (FIN), after writing all data that the proxy or its toxics hold.

        Reset a connection if, after `grace` seconds, its peer has not read everything, or a toxic still awaits
        something.
        """
        check_values(f"{self._label()}.disconnect_all", [("grace", grace, SECONDS)])
        await self._running().disconnect_all(grace, "by disconnect_all()")

    # What happened

    @property
    def connections(self) -> tuple[ProxyConnection, ...]:
        """The connections that are not closed yet, in order of arrival."""
        return tuple(ProxyConnection(connection) for connection in self._running().connections)
