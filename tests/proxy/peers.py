"""The two ends of a proxied connection: servers, and clients that record exactly what they met."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from looprig import TcpProxy
from looprig.toxics import Toxic

__all__ = [
    "Echo",
    "Gate",
    "Met",
    "Pouring",
    "Recording",
    "echoing",
    "meet",
    "proxied",
    "raw_client",
    "reset",
    "serving",
    "tasks_and_fds",
    "timers",
    "until",
]

Address = tuple[str, int]


class Echo(asyncio.Protocol):
    """A server that sends back what it receives, with back pressure, and ends when its client does."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transport isn't a subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def eof_received(self) -> bool:
        self.transport.close()  # once everything is written
        return True

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


@dataclass
class Recording(asyncio.Protocol):
    """A server that records what it receives, and how its connection ended."""

    received: bytearray = field(default_factory=bytearray)
    ended: bool = False
    lost: "asyncio.Future[Exception | None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transport isn't a subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> None:
        self.ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


@dataclass
class Pouring(Recording):
    """A server that sends much data, or a greeting, as soon as it is connected."""

    pours: bytes = bytes(16 << 20)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(self.pours)


class Gate:
    """An async function that holds chunks back until it is opened."""

    def __init__(self) -> None:
        self.entered = 0
        self.opened = asyncio.Event()

    async def __call__(self, chunk: bytes) -> bytes:
        self.entered += 1
        await self.opened.wait()
        return chunk


@asynccontextmanager
async def serving(
    protocol: Callable[[], asyncio.Protocol], *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Address, None]:
    """Run a server on its own port, and abort the connections that it still has at the end."""
    made: list[asyncio.Transport] = []

    def make() -> asyncio.Protocol:
        served = protocol()
        connection_made = served.connection_made

        def note(transport: asyncio.BaseTransport) -> None:
            made.append(cast("asyncio.Transport", transport))
            connection_made(transport)

        served.connection_made = note  # type: ignore[method-assign]
        return served

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=tls, backlog=1024)
    try:
        host, port = server.sockets[0].getsockname()
        yield host, port
    finally:
        server.close()
        for transport in made:
            if not transport.is_closing():
                transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def proxied(
    protocol: Callable[[], asyncio.Protocol],
    *,
    window: int = 16 << 20,
    seed: int | None = None,
    toxics: tuple[Toxic, ...] = (),
) -> AsyncGenerator[TcpProxy, None]:
    """Run a proxy in front of such a server."""
    async with (
        serving(protocol) as address,
        TcpProxy(address, window=window, seed=seed, toxics=toxics) as proxy,
    ):
        yield proxy


@asynccontextmanager
async def echoing(*toxics: Toxic, seed: int | None = None) -> AsyncGenerator[TcpProxy, None]:
    """Run a proxy in front of an echo server."""
    async with proxied(Echo, seed=seed, toxics=toxics) as proxy:
        yield proxy


@dataclass
class Met:
    """A client's experience: the received bytes, and whether the end was a reset."""

    data: bytes
    was_reset: bool


async def meet(address: Address, payload: bytes = b"", *, pieces: AsyncIterator[bytes] | None = None) -> Met:
    """Send `payload`, end the direction, and read to the end."""
    try:
        reader, writer = await asyncio.open_connection(*address)
    except ConnectionResetError:  # so early that the loop sees it while it checks the new connection
        return Met(b"", was_reset=True)
    received = bytearray()
    was_reset = False

    async def send() -> None:
        try:
            writer.write(payload)
            if pieces is not None:
                async for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
            writer.write_eof()
        except OSError:
            pass  # the reader gets the error too

    sending = asyncio.create_task(send())
    try:
        while data := await reader.read(1 << 16):
            received += data
    except ConnectionError:
        was_reset = True
    await sending
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        was_reset = True
    return Met(bytes(received), was_reset)


@asynccontextmanager
async def raw_client(address: Address, *, takes: int = 0) -> AsyncGenerator[socket.socket, None]:
    """Connect a socket that reads nothing by itself. If `takes` is given, its buffer has that many bytes."""
    with socket.socket() as client:
        client.setblocking(False)
        if takes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
        await asyncio.get_running_loop().sock_connect(client, address)
        yield client


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that nothing announces. The suite's time limit applies."""
    while not condition():  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.001)


def reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection from this side."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def tasks_and_fds() -> tuple[int, int]:
    """Return the number of tasks and file descriptors."""
    return len(asyncio.all_tasks()), sum(1 for _ in Path("/proc/self/fd").iterdir())


def timers() -> list[asyncio.TimerHandle]:
    """Return the loop's pending timers; uvloop doesn't expose them."""
    handles: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled", [])
    return [handle for handle in handles if not handle.cancelled()]
