"""What users do with a proxy: apply toxics, break the link, look at what happened.

Does not carry bytes (`link` and what is below it do), and does not say what stands behind the proxy (`tcp` and the
service do).

Invariants:
1. A fault is a `with` block: leaving it undoes it.
2. What went wrong in the proxy itself and nobody took (`take_errors`) is raised when it ends, or by the test before.
"""

import secrets
import ssl
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, final

from looprig.declare.fields_meta import config_field
from looprig.exceptions import DeclarationError, LooprigError, ProxyError
from looprig.location import Location, caller_location, location_of
from looprig.net.address import Address
from looprig.net.authority import Authority
from looprig.net.ports import localhost
from looprig.net.proxy.application import Application, checked
from looprig.net.proxy.connection import Connection
from looprig.net.proxy.events import ProxyEvent
from looprig.net.proxy.link import Link, Settings, SocketAddress
from looprig.net.toxics.toxic import Toxic

__all__ = ["Applied", "ProxyConnection", "ProxyControls"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

WINDOW: Final = 16 << 20
_SHOWN: Final = 200
"""Events that a rendered log has at most."""


@final
class ProxyConnection:
    """A client's connection through a proxy."""

    __slots__ = ("_connection", "_link")

    def __init__(self, connection: Connection, link: Link) -> None:
        self._connection = connection
        self._link = link

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
        """Bytes that went on to the service so far."""
        return self._connection.upstream.passed

    @property
    def sent_downstream(self) -> int:
        """Bytes that went on to the client so far."""
        return self._connection.downstream.passed

    @property
    def held(self) -> int:
        """Bytes that were read from one side and are not in the socket of the other yet, both directions together."""
        return sum(pipe.held for pipe in self._connection.pipes)

    def reset(self) -> None:
        """Resets it on both sides."""
        self._connection.reset("", "by the test")

    def __repr__(self) -> str:
        return f"<ProxyConnection #{self.index} from {self.client or 'a Unix socket'}>"


@final
class Applied:
    """What `apply` gives: the toxics it put on, and whom they met."""

    __slots__ = ("_application",)

    def __init__(self, application: Application) -> None:
        self._application = application

    @property
    def struck(self) -> tuple[int, ...]:
        """The indexes of the connections that got at least one of the toxics, in the order in which they came."""
        return tuple(sorted(self._application.struck))


@dataclass(kw_only=True, eq=False, repr=False)
class ProxyControls(ABC):
    """The base of proxies.

    Configuration:

    - `host`: to listen on; or `listen_path`, for a Unix socket there.
    - `seed`: what random faults come from; by default another one in each run, which a failed test shows.
    - `window`: the bytes that are held in one direction of a connection before its sender has to wait.
    - `toxics`: those that are on all the time.
    - `connect_timeout`: the seconds that the service has to take a connection.
    - `terminate_tls`: whether the proxy speaks TLS itself on both sides, so that toxics meet what is inside. Clients
      have to trust it: `client_tls` is the context for that. Needs `looprig[tls]`. Without it, TLS is passed through.
    - `upstream_tls`: the context with which it then trusts the service.
    """

    host: str = config_field(factory=localhost)
    listen_path: str | None = config_field(None)
    seed: int | None = config_field(None)
    window: int = config_field(WINDOW)
    toxics: Sequence[Toxic] = config_field(())
    connect_timeout: float = config_field(10.0)
    terminate_tls: bool = config_field(False)
    upstream_tls: ssl.SSLContext | None = config_field(None)  # noqa: RUF009 - as above
    _authority: Authority | None = field(default=None, init=False)
    _link: Link | None = field(default=None, init=False)
    _last: Link | None = field(default=None, init=False)

    @abstractmethod
    def _upstream(self) -> SocketAddress:
        """Where the service listens."""

    def _trusted(self) -> ssl.SSLContext | None:
        """The context with which the proxy trusts the service."""
        return self.upstream_tls

    # Life

    async def _open(self) -> None:
        owner = (self._label(), self._declared_at())
        if self.window < 1:
            raise DeclarationError(f"{owner[0]} has window={self.window!r}, which is below 1 byte.", [owner])
        toxics = checked(Toxic, self.toxics, owner)
        seed = secrets.randbits(32) if self.seed is None else self.seed
        upstream = self._upstream()
        tls: dict[str, Any] = {}
        if self.terminate_tls:
            name = upstream[0] if isinstance(upstream, tuple) else "localhost"
            authority = self._authority = self._authority or Authority(*dict.fromkeys((self.host, name, "localhost")))
            trusted = self._trusted() or ssl.create_default_context()
            tls = {"client_tls": authority.server_context(), "service_tls": trusted, "service_name": name}
        link = Link(
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
        self._link = self._last = link

    async def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close(_GRACE)
        errors = self.take_errors()
        if errors:
            raise ExceptionGroup(f"{self._label()} had errors that nobody took", errors)

    def _label(self) -> str:
        return type(self).__qualname__

    def _declared_at(self) -> Location:
        return location_of(type(self))

    def _running(self) -> Link:
        if self._link is not None:
            return self._link
        raise LooprigError(
            f"{self._label()} is not running, so nothing can be done with it.",
            [(self._label(), self._declared_at())],
            "Use it inside `async with`, or take it from its fixture.",
        )

    # Where

    @property
    def address(self) -> Address:
        """Host and port, for clients to connect to."""
        address = self._running().listener.address
        if isinstance(address, tuple):
            return Address(*address)
        raise LooprigError(f"{self._label()} listens on a Unix socket: ask its `path`.")

    @property
    def path(self) -> str:
        """The Unix socket for clients to connect to, where the proxy has `listen_path`."""
        address = self._running().listener.address
        if isinstance(address, str):
            return address
        raise LooprigError(f"{self._label()} listens on a port: ask its `address`.")

    @property
    def port(self) -> int:
        """The port for clients to connect to."""
        return self.address.port

    @property
    def client_tls(self) -> ssl.SSLContext | None:
        """The context with which a client trusts the proxy, where that terminates TLS."""
        return None if self._authority is None else self._authority.client_context()

    # Faults of connections

    @contextmanager
    def apply(self, *toxics: Toxic) -> Generator[Applied, None, None]:
        """Puts toxics on the connections there are and on those to come, for the length of a block.

            with proxy.apply(Latency(0.2), Reset(after_bytes=1000, first=1)) as applied:
                ...
            assert applied.struck == (0,)

        Bytes pass through the toxics in this order, after those that are on already. Blocks nest. What a toxic held
        back goes on when it is taken off; nothing is lost, doubled or put in another order.

        Raises `DeclarationError` for what is no toxic.
        """
        link = self._running()
        toxics_of = checked(Toxic, toxics, (f"{self._label()}.apply", caller_location(2)))
        with link.applied(toxics_of) as application:
            yield Applied(application)

    # Faults of the link

    @contextmanager
    def down(self, *, reset: bool = True) -> Generator[None, None, None]:
        """Refuses new connections (ECONNREFUSED) for the length of a block, while the port stays ours.

        Open ones are reset first, unless `reset=False`.
        """
        link = self._running()
        with link.put("down"):
            if reset:
                link.reset_now("by down()")
            yield

    @contextmanager
    def unreachable(self) -> Generator[None, None, None]:
        """Drops the packets of new connections (SYN) for the length of a block, so that connecting takes for ever.

        Who tries gets through after the block, at its next attempt (after 1, 3, 7 ... seconds). Open connections stay.

        Raises `LooprigError` but on Linux, and for a Unix socket.
        """
        with self._running().put("unreachable"):
            yield

    @contextmanager
    def accept_paused(self) -> Generator[None, None, None]:
        """Lets new clients connect for the length of a block, and serves none of them until it ends."""
        with self._running().put("paused"):
            yield

    async def reset_all(self) -> None:
        """Resets every connection, those that are still being made too, and waits until their sockets are closed."""
        await self._running().reset_all("by reset_all()")

    async def disconnect_all(self, *, grace: float = 5.0) -> None:
        """Ends every connection in good order (FIN), what is held being written first.

        One that has not taken it all after `grace` seconds is reset.
        """
        await self._running().disconnect_all(grace, "by disconnect_all()")

    # What happened

    async def wait_connections(self, count: int) -> None:
        """Waits until `count` connections are open at least, or with 0 until there is none. It has no limit."""
        await self._running().wait_connections(count)

    @property
    def connections(self) -> tuple[ProxyConnection, ...]:
        """Those that are not closed yet, in the order in which they came."""
        link = self._running()
        return tuple(ProxyConnection(connection, link) for connection in link.connections)

    @property
    def events(self) -> tuple[ProxyEvent, ...]:
        """What happened so far, the newest 100,000 of it; also after the proxy has ended."""
        return () if self._last is None else tuple(self._last.events)

    @property
    def told(self) -> int:
        """How many events there have been so far."""
        return 0 if self._last is None else self._last.events.told

    def faults(self, connection: int) -> tuple[str, ...]:
        """What toxics did to the connection of this index: the same for the same seed and the same bytes."""
        return () if self._last is None else self._last.events.faults(connection)

    def take_errors(self) -> list[ProxyError]:
        """What went wrong in the proxy itself so far, and counts as seen from now on.

        What nobody takes fails the test that is running, or else is raised when the proxy ends.
        """
        if self._last is None:
            return []
        errors, self._last.errors = self._last.errors, []
        return errors

    def render(self, *, since: int = 0) -> str:
        """The log of events as text, without the first `since` of them; 200 lines at most."""
        link = self._last
        if link is None:
            return f"{self._label()} was not started."
        events = link.events.since(since)
        cut = [f"  ... ({len(events) - _SHOWN} before)"] if len(events) > _SHOWN else []
        lines = [f"{self._label()}, seed {link.settings.seed}:", *cut, *(f"  {each}" for each in events[-_SHOWN:])]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<{self._label()}: {'not running' if self._link is None else self._link.listener.address}>"


_GRACE: Final = 0.5
"""Seconds that peers have to take what is left when the proxy ends."""
