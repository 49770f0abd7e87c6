"""A connection to PostgreSQL that runs simple queries, in as much of its protocol as that needs.

So that a server and its databases need no driver: no driver is common to all suites, and new Pythons wait for those
that are compiled. Blocks; call it in a thread. Knows no passwords, parameters, types or TLS: it is for servers that
`PostgresService` starts, and suites use a driver of theirs.

Source: "Frontend/Backend Protocol", version 3.0, in PostgreSQL's documentation.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final, final

from looprig.net.address import Address
from looprig.runtime.own_descriptors import OWN_DESCRIPTORS

__all__ = ["Connection", "PostgresError", "is_ready", "literal", "quoted"]

_VERSION: Final = 196608  # 3.0
_TERMINATE: Final = b"X\x00\x00\x00\x04"
_TIMEOUT: Final = 30.0
"""Seconds without a byte from the server after which a query has failed."""


@final
class PostgresError(Exception):
    """An error that the server reported. `code` is its SQLSTATE."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, code)
        self.code: str = code

    def __str__(self) -> str:
        return f"{self.args[0]} (SQLSTATE {self.code})"


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"{}"'.format(name.replace('"', '""'))


def literal(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'{}'".format(text.replace("'", "''"))


async def is_ready(address: Address, user: str, database: str) -> bool:
    """Return whether a server answers a start-up packet. While it starts or recovers, it answers with an error."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(_startup(user, database))
        answer = await reader.readexactly(1)
        writer.write(_TERMINATE)
        return answer == b"R"
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@final
class Connection:
    """An open connection. Use it in one thread at a time.

    Raises:
        PostgresError: the server refused the connection.
        OSError: there is no server, or it went away.
    """

    def __init__(self, address: Address, *, user: str, database: str) -> None:
        self._socket = socket.create_connection(address, _TIMEOUT)
        OWN_DESCRIPTORS.add(self._socket.fileno())
        self._stream = self._socket.makefile("rb")
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(_startup(user, database))
            self._rows()
        except BaseException:
            self.close()
            raise

    def query(self, sql: str, *, timeout: float | None = _TIMEOUT) -> list[tuple[str | None, ...]]:
        """Run statements, and return the rows of all of them, as texts.

        `timeout` is in seconds, `None` waits for ever.
        """
        self._socket.settimeout(timeout)
        self._socket.sendall(_message(b"Q", sql.encode() + b"\0"))
        return self._rows()

    @property
    def is_lost(self) -> bool:
        """Whether the server has ended the connection since the last query, because it was stopped or killed."""
        try:
            self._socket.settimeout(0.0)
            return self._socket.recv(1, socket.MSG_PEEK) in {b"", b"E"}  # its end, or the error that announces it
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """Close it. The server ends what runs on it."""
        with suppress(OSError):
            self._socket.sendall(_TERMINATE)
        with suppress(OSError):
            self._stream.close()
        OWN_DESCRIPTORS.discard(self._socket.fileno())
        self._socket.close()

    def _rows(self) -> list[tuple[str | None, ...]]:
        """Read up to the point where the server waits for the next query."""
        rows: list[tuple[str | None, ...]] = []
        error: PostgresError | None = None
        while True:
            kind, length = struct.unpack("!cI", self._read(5))
            body = self._read(length - 4)
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
                error = PostgresError(fields.get(b"M", "?"), fields.get(b"C", "?"))
                if fields.get(b"V", fields.get(b"S")) in {"FATAL", "PANIC"}:  # it closes the connection
                    raise error
            elif kind == b"R" and body[:4] != b"\0\0\0\0":
                raise PostgresError("the server requires a password, for which looprig has no support", "28000")
            elif kind == b"Z":
                if error is not None:
                    raise error
                return rows

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise ConnectionResetError("the server closed the connection")
        return data


def _startup(user: str, database: str) -> bytes:
    parameters = {"user": user, "database": database, "application_name": "looprig", "client_encoding": "UTF8"}
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    return _message(b"", struct.pack("!I", _VERSION) + pairs + b"\0")


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _row(body: bytes) -> tuple[str | None, ...]:
    (count,) = struct.unpack_from("!H", body)
    at = 2
    values: list[str | None] = []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if length < 0:
            values.append(None)
            continue
        values.append(body[at : at + length].decode())
        at += length
    return tuple(values)
