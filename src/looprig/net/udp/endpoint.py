"""One UDP socket on a loop: it passes on datagrams that arrive, and sends datagrams.

Does not know the meaning of datagrams. Invariants:
1. Datagrams that have arrived can be read at any time (`drain`), not only in the next round of the loop.
2. No other program can bind the port while the socket is open.
3. After `close` and `wait_closed`, the socket is closed, whatever happened before.

The loop's transport only reads. Datagrams are sent by the socket itself, since the transports of uvloop, and of asyncio
before Python 3.13, don't send empty datagrams. `add_reader` would be enough for reading, but uvloop drops a reader
after an ICMP error.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias, cast, final

__all__ = ["Endpoint", "Peer"]

_AT_ONCE: Final = 64
"""Maximum number of datagrams that are read in one round of the loop."""

_BUFFER: Final = 4 << 20
"""Buffer size in bytes to request. The kernel may allocate less."""

_LARGEST: Final = 1 << 16
_SHARING: Final = (socket.SO_REUSEADDR, *((socket.SO_REUSEPORT,) if hasattr(socket, "SO_REUSEPORT") else ()))

Peer: TypeAlias = tuple[Any, ...]
"""A socket's address as the kernel reports it, which has four items with IPv6."""


@final
class Endpoint(asyncio.DatagramProtocol):
    """The owner of a bound or connected socket."""

    def __init__(
        self, sock: socket.socket, received: Callable[[bytes, Peer], None], failed: Callable[[OSError], None]
    ) -> None:
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._closed: asyncio.Future[None] | None = None
        self._failed = failed
        self._is_closing = False
        self._is_opened = False
        self._received = received
        self._socket = sock
        self._transport: asyncio.BaseTransport | None = None

    async def open(self) -> None:
        """Begin to read. Sending works even before this."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: self, sock=self._socket)
        except BaseException:
            self._is_closing = True
            if self._transport is None:
                self._socket.close()
            raise
        finally:
            self._is_opened = True
            if self._is_closing:
                self.close()

    # Called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Record that the loop reads from now on."""
        self._transport = transport
        self._closed = asyncio.get_running_loop().create_future()
        for option in _SHARING:  # libuv sets this option, which would let other programs bind the port too
            self._socket.setsockopt(socket.SOL_SOCKET, option, 0)

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        """Handle a datagram, and read others that have arrived, since loops pass on only one in each round."""
        if not self._is_closing:
            self._received(data, addr)
            self.drain(_AT_ONCE - 1)

    def error_received(self, exc: Exception) -> None:
        """Handle an ICMP error."""
        if isinstance(exc, OSError) and not self._is_closing:
            self._failed(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """Record that the socket is closed."""
        self._is_closing = True
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    # Reading and sending

    def drain(self, limit: int) -> None:
        """Read the datagrams that have arrived, at most `limit`, since a fast sender could keep this going forever."""
        for _ in range(limit):
            if self._is_closing:
                return
            try:
                data, address = cast("tuple[bytes, Peer]", self._socket.recvfrom(_LARGEST))
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._failed(error)
            else:
                self._received(data, address)

    def send(self, data: bytes, peer: Peer | None) -> bool:
        """Send a datagram, or return False if the kernel has no room for it now. A connected socket needs no `peer`.

        Raises:
            OSError: the datagram can't be sent.
        """
        for _ in range(2):
            try:
                if peer is None:
                    self._socket.send(data)
                else:
                    self._socket.sendto(data, peer)
            except (BlockingIOError, InterruptedError):
                return False
            except ConnectionRefusedError as error:  # about an earlier datagram: this one is not sent yet
                self._failed(error)
            else:
                break
        return True

    # Ending

    def close(self) -> None:
        """Stop reading. If it is still being opened, the socket stays open, since the loop is using it."""
        self._is_closing = True
        if self._is_opened and self._transport is not None:
            self._transport.close()

    async def wait_closed(self) -> None:
        """Wait until the socket is closed. Call this once `open` has ended, or was cancelled before it began."""
        if self._closed is not None:
            await self._closed
        elif not self._is_opened:
            self._socket.close()
