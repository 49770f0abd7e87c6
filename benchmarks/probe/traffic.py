"""The client and the server of the proxy benchmarks: the same, and as lean as asyncio lets them be, for all proxies.

They are protocols that do everything in their callbacks, with no task, stream or future for each message. What
they take themselves is in the figure of `direct` as well. Which proxy is between them is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Final, TypeAlias, cast

from probe.job import Load

Address: TypeAlias = tuple[str, int]

HOST: Final = "127.0.0.1"
PIECE: Final = 256 << 10
"""Bytes of one write of a stream."""


class Server(asyncio.Protocol):
    """Knows its transport. Does nothing yet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)


class Echo(Server):
    """Sends back what comes, as it comes."""

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Sink(Server):
    """Throws away what comes, and sends one byte after each `size` of it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.got = 0

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if self.got >= self.size:
            self.got -= self.size
            self.transport.write(b"k")


class Client(Server):
    """Does its load as many times as it is told."""

    def __init__(self, load: Load) -> None:
        self.size = load.size
        self.left = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()

    async def run(self, times: int) -> None:
        if not times:
            return
        self.done = asyncio.get_running_loop().create_future()
        self.left = times
        self.begin()
        await self.done

    def begin(self) -> None:
        """Starts to send `size` bytes."""
        raise NotImplementedError

    def once_more(self) -> None:
        """One time is done."""
        self.left -= 1
        if self.left:
            self.begin()
        else:
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the connection was closed before all was done"))


class Caller(Client):
    """The client of `Echo`."""

    def __init__(self, load: Load) -> None:
        super().__init__(load)
        self.message = bytes(load.size)
        self.got = 0

    def begin(self) -> None:
        self.transport.write(self.message)

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if self.got >= self.size:
            self.got -= self.size
            self.once_more()


class Sender(Client):
    """The client of `Sink`. It heeds `pause_writing`, as `StreamWriter.drain` would have it."""

    def __init__(self, load: Load) -> None:
        super().__init__(load)
        self.piece = bytes(PIECE)
        self.unsent = 0
        self.is_paused = False

    def begin(self) -> None:
        self.unsent = self.size
        self.send()

    def send(self) -> None:
        while self.unsent and not self.is_paused:
            piece = self.piece if self.unsent >= PIECE else self.piece[: self.unsent]
            self.unsent -= len(piece)
            self.transport.write(piece)

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self.send()

    def data_received(self, data: bytes) -> None:
        self.once_more()


async def serve(load: Load) -> tuple[asyncio.Server, Address]:
    """The server for a load, and where it listens."""
    make: Callable[[], asyncio.Protocol] = Echo if load.kind == "echo" else lambda: Sink(load.size)
    server = await asyncio.get_running_loop().create_server(make, HOST, 0, backlog=1024)
    return server, server.sockets[0].getsockname()[:2]


async def drive(address: Address, load: Load) -> float:
    """The seconds that the timed part of a load takes, as the median of its repeats."""
    return median([await _once(address, load) for _ in range(load.repeats)])


async def _once(address: Address, load: Load) -> float:
    loop = asyncio.get_running_loop()
    kind = Caller if load.kind == "echo" else Sender
    # One after the other: a hundred at once would also try how long a queue each proxy has its clients wait in.
    clients = [(await loop.create_connection(lambda: kind(load), *address))[1] for _ in range(load.connections)]
    await asyncio.gather(*[client.run(load.warm_up) for client in clients])
    begin = perf_counter()
    await asyncio.gather(*[client.run(load.timed) for client in clients])
    seconds = perf_counter() - begin
    for client in clients:
        client.transport.close()
    await asyncio.gather(*[client.lost.wait() for client in clients])
    return seconds
