"""Ports that are held, not just found to be free.

A port that was free a moment ago may be in use now. A held port has a socket bound to it for as long as it is held,
with `SO_REUSEADDR` and without listening. According to socket(7) and ip(7) of Linux, the kernel then doesn't assign the
port to an outgoing connection, or to another program that binds port 0 on that address or the wildcard address. A
server that binds this very port and sets `SO_REUSEADDR` itself (asyncio, aiohttp, uvicorn, PostgreSQL, Redis, Go and
Node do) can still listen on it. Until it does, connections to the port are refused.

Other systems refuse a second socket on the same address and port, whatever its options, or let programs share a port.
There, a port can't be held for a server: see `servers_can_bind_held`.

Does not start servers. Does not protect a port from a program that binds it by number: it only prevents accidental
collisions.

Invariants:
1. A port is known only after its socket is bound, and the socket stays bound until it is closed.
2. Closing twice is the same as closing once.
"""

import asyncio
import socket
from contextlib import suppress
from functools import cache
from types import TracebackType
from typing import Final, Protocol, Self, final

from looprig.declare.values import PORT, TEXT, Check, check_values
from looprig.posix import is_posix

__all__ = [
    "HeldPort",
    "PortFactory",
    "WildcardPortFactory",
    "accepts_connections",
    "hold_port",
    "hold_port_again",
    "listening_socket",
    "localhost",
    "servers_can_bind_held",
    "url_of",
]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_HOST: Final = TEXT.or_none()
_KINDS: Final = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
_KIND: Final = Check(
    "socket.SOCK_STREAM or socket.SOCK_DGRAM", lambda value: isinstance(value, socket.SocketKind) and value in _KINDS
)


def localhost() -> str:
    """Return the loopback address that can be bound: `127.0.0.1`, or `::1` without IPv4.

    Raises `OSError` if neither can be bound.
    """
    failures: list[OSError] = []
    for address in ("127.0.0.1", "::1"):
        try:
            _bound(address, socket.SOCK_STREAM).close()
        except OSError as error:
            failures.append(error)
        else:
            return address
    raise OSError(f"neither 127.0.0.1 nor ::1 can be bound: {'; '.join(map(str, failures))}")


def url_of(scheme: str, host: str, port: int) -> str:
    """Return a base URL, with brackets around an IPv6 address.

    >>> url_of("http", "::1", 8080)
    'http://[::1]:8080'
    """
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class _Closable(Protocol):
    """A context manager that closes itself at the end of its `with` block."""

    __slots__ = ()

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@final
class HeldPort(_Closable):
    """A port that no other program gets by accident while this is open.

    >>> with hold_port() as held:
    ...     held.port > 0
    True
    """

    __slots__ = ("_socket", "host", "port")

    def __init__(self, bound: socket.socket) -> None:
        address = bound.getsockname()
        self._socket = bound
        self.host: str = address[0]
        self.port: int = address[1]

    @property
    def socket(self) -> socket.socket:
        """The bound socket that holds the port. It does not listen."""
        return self._socket

    def close(self) -> None:
        """Release the port."""
        self._socket.close()

    def __repr__(self) -> str:
        return f"<HeldPort {self.host} {self.port}>"


def hold_port(host: str | None = None, *, kind: socket.SocketKind = socket.SOCK_STREAM) -> HeldPort:
    """Bind a free port on `host` (by default `localhost()`), and hold it until the returned object is closed.

    `kind` is `SOCK_STREAM` for TCP or `SOCK_DGRAM` for UDP. A UDP server can't bind a held port: close the holder just
    before the server binds it. Raises `OSError` if the host can't be bound.
    """
    check_values("hold_port", [("host", host, _HOST), ("kind", kind, _KIND)])
    return HeldPort(_bound(host or localhost(), kind))


@cache
def servers_can_bind_held() -> bool:
    """Return whether a server that sets `SO_REUSEADDR` can bind a TCP port that is held.

    Linux allows that while nobody listens. BSD and macOS don't. On Windows the option shares the port, so servers don't
    set it.
    """
    if not is_posix():
        return False
    with _bound(localhost(), socket.SOCK_STREAM) as holder:
        host, port = holder.getsockname()[:2]
        try:
            _bound(host, socket.SOCK_STREAM, port).close()
        except OSError:
            return False
    return True


def hold_port_again(held: HeldPort) -> HeldPort:
    """Bind a TCP port that was held, released to a server, and is not used any more. Raises `OSError` if it is."""
    return HeldPort(_bound(held.host, socket.SOCK_STREAM, held.port))


def listening_socket(host: str | None = None) -> socket.socket:
    """Return a bound TCP socket, to pass to a server instead of a host and a port.

    Its port is known and reserved before the server starts. `asyncio.start_server(sock=...)` makes it listen.
    """
    check_values("listening_socket", [("host", host, _HOST)])
    bound = _bound(host or localhost(), socket.SOCK_STREAM)
    bound.setblocking(False)
    return bound


async def accepts_connections(host: str, port: int) -> bool:
    """Try once to connect, and return whether that succeeded. The connection is closed at once.

        async def ready(self) -> bool:  # of a ProcessService
            return await accepts_connections(*self.address)

    Success means that a server listens, not that it is ready. If the server can report whether it is ready, use that.
    """
    check_values("accepts_connections", [("host", host, TEXT), ("port", port, PORT)])
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):  # the server may reset the connection first
        await writer.wait_closed()
    return True


@final
class PortFactory(_Closable):
    """A factory that returns a new held port on each call, and holds all of them until it is closed.

    Only Linux lets a server bind a held port. Elsewhere, a TCP port is only free at the moment when it is returned.

    >>> with PortFactory() as unused_port:
    ...     unused_port() != unused_port()
    True
    """

    def __init__(self, host: str | None = None, *, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
        check_values("PortFactory", [("host", host, _HOST), ("kind", kind, _KIND)])
        self._host = host or localhost()
        self._kind = kind
        self._held: dict[int, HeldPort] = {}

    def __call__(self) -> int:
        """Hold one more port, and return its number."""
        held = hold_port(self._host, kind=self._kind)
        if self._kind is socket.SOCK_STREAM and not servers_can_bind_held():
            held.close()  # it was free a moment ago, which is all that can be had here
        self._held[held.port] = held
        return held.port

    def release(self, port: int) -> None:
        """Release a port, just before a server binds it without `SO_REUSEADDR`.

        Raises `ValueError` for a port that is not held here.
        """
        try:
            held = self._held.pop(port)
        except KeyError:
            known = ", ".join(map(str, self._held)) or "none"
            raise ValueError(f"port {port} is not held by this factory; it holds {known}") from None
        held.close()

    def close(self) -> None:
        """Release all ports."""
        while self._held:
            self._held.popitem()[1].close()


@final
class WildcardPortFactory(_Closable):
    """A factory like aiomisc's `aiomisc_unused_port_factory`: its ports are free on every address of the host.

    A call takes the arguments of `socket.socket` (family, kind, protocol), binds the wildcard address, and sets
    `SO_REUSEADDR` and `SO_REUSEPORT` only after that, so that it never gets a port that someone else reuses. The
    sockets stay bound until `close`.
    """

    def __init__(self, host: str | None = None) -> None:
        check_values("WildcardPortFactory", [("host", host, _HOST)])
        self._wildcard = "::" if ":" in (host or localhost()) else "0.0.0.0"  # noqa: S104 - that is its meaning
        self._held: list[socket.socket] = []

    def __call__(self, *socket_args: int) -> int:
        """Hold one more port, and return its number."""
        if not socket_args and ":" in self._wildcard:
            socket_args = (socket.AF_INET6,)
        holder = socket.socket(*socket_args)
        try:
            holder.bind((self._wildcard, 0))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        except BaseException:
            holder.close()
            raise
        self._held.append(holder)
        port: int = holder.getsockname()[1]
        return port

    def close(self) -> None:
        """Release all ports."""
        while self._held:
            self._held.pop().close()


def _bound(host: str, kind: socket.SocketKind, port: int = 0) -> socket.socket:
    family, _, protocol, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        # For UDP, and on Windows for TCP, it would let others share the port, data and all.
        if kind is socket.SOCK_STREAM and is_posix():
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound
