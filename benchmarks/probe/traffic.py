"""The client and the server of the proxy benchmarks: the same for all proxies, and as lean as asyncio allows.

They are protocols that do everything in callbacks, without a task, stream or future per message. Their own cost is part
of the figure of `direct` too. They don't know which proxy is between them.
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
"""The size of each write of a stream, in bytes."""


class Server(asyncio.Protocol):
    """The base of the servers: it keeps its transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)


class Echo(Server):
    """A server that sends back what it receives, as it comes."""

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Sink(Server):
    """A server that discards what it receives, and sends one byte after each `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.got = 0

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if self.got >= self.size:
            self.got -= self.size
            self.transport.write(b"k")


class Client(Server):
    """The base of the clients: it repeats its load."""

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
        """Start to send `size` bytes."""
        raise NotImplementedError

    def once_more(self) -> None:
        """Count a finished repetition, and start the next."""
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
    """The client of `Sink`. It obeys `pause_writing`, like code that awaits `StreamWriter.drain`."""

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
    """Start the server for a load, and return it and its address."""
    make: Callable[[], asyncio.Protocol] = Echo if load.kind == "echo" else lambda: Sink(load.size)
    server = await asyncio.get_running_loop().create_server(make, HOST, 0, backlog=1024)
    return server, server.sockets[0].getsockname()[:2]


async def drive(address: Address, load: Load) -> float:
    """Run a load, and return the median over its repeats of the seconds that the timed part took."""
    return median([await _once(address, load) for _ in range(load.repeats)])


async def _once(address: Address, load: Load) -> float:
    loop = asyncio.get_running_loop()
    kind = Caller if load.kind == "echo" else Sender
    # One after the other: a hundred at once would also measure how long each proxy's accept queue is.
    clients = [(await loop.create_connection(lambda: kind(load), *address))[1] for _ in range(load.connections)]
    await asyncio.gather(*[client.run(load.warm_up) for client in clients])
    begin = perf_counter()
    await asyncio.gather(*[client.run(load.timed) for client in clients])
    seconds = perf_counter() - begin
    for client in clients:
        client.transport.close()
    await asyncio.gather(*[client.lost.wait() for client in clients])
    return seconds
