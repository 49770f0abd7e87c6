"""A connection between the host of a run and one of its users, which carries messages and file descriptors.

Does not know what the messages mean. Both ends are processes of the same user: see `folder`.

Invariants:
1. A message is a pickle, after its length in 4 bytes. Descriptors come with its first byte.
2. Only the task that receives reads, and only one task sends.
"""

import asyncio
import pickle
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final, final

__all__ = ["Channel", "receive_now", "send_now"]

_LENGTH: Final = struct.Struct("!I")
_MOST_DESCRIPTORS: Final = 64


def _packed(message: object) -> bytes:
    body = pickle.dumps(message)
    return _LENGTH.pack(len(body)) + body


def send_now(connection: socket.socket, message: object) -> None:
    """Send a message on a blocking connection."""
    connection.sendall(_packed(message))


def receive_now(connection: socket.socket) -> Any:
    """Return the next message from a blocking connection.

    Raises:
        EOFError: the other end has closed the connection, or died.
    """
    return pickle.loads(_read_now(connection, *_LENGTH.unpack(_read_now(connection, _LENGTH.size))))  # noqa: S301 - see `folder`


def _read_now(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        try:
            part = connection.recv(size - len(found))
        except ConnectionResetError:
            part = b""
        if not part:
            raise EOFError
        found += part
    return bytes(found)


@final
class Channel:
    """A connection, to be used on a loop."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection: Final = connection

    async def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """Send a message, and descriptors with it.

        Raises:
            OSError: the other end is gone.
        """
        data = _packed(message)
        if descriptors:  # nothing has been sent before, so there is room for one byte
            socket.send_fds(self.connection, [data[:1]], list(descriptors))
            data = data[1:]
        await asyncio.get_running_loop().sock_sendall(self.connection, data)

    async def receive(self) -> tuple[Any, list[int]]:
        """Return the next message, and the descriptors that came with it, which are the caller's to close.

        Raises:
            EOFError: the other end has closed the connection, or died.
        """
        head, descriptors = await self._read(_LENGTH.size)
        body, _ = await self._read(*_LENGTH.unpack(head))
        return pickle.loads(body), descriptors  # noqa: S301 - see `folder`

    async def _read(self, size: int) -> tuple[bytes, list[int]]:
        found, descriptors = bytearray(), list[int]()
        while len(found) < size:
            try:
                part, added, _, _ = socket.recv_fds(self.connection, size - len(found), _MOST_DESCRIPTORS)
            except BlockingIOError:
                await self._readable()
                continue
            except ConnectionResetError:
                part, added = b"", []
            descriptors += added
            if not part:
                raise EOFError
            found += part
        return bytes(found), descriptors

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self.connection, _set, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self.connection)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
