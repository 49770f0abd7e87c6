"""The two ends of a UDP proxy: a service that records what it receives, and clients. Both are plain sockets."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from looprig import DatagramProxy
from looprig.net.udp.rng import DatagramRng
from looprig.toxics.udp import Toxic

__all__ = ["MANY", "SEED", "Client", "Service", "chosen", "numbered", "proxied", "tasks_and_fds", "without"]

SEED = 20251
MANY = 150
"""A number of datagrams that fit into every kernel buffer at once."""

_T = TypeVar("_T")


class _Peer:
    """A socket that records what it receives; tests await the last datagram, and never sleep for it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.received: list[bytes] = []
        self.senders: list[Any] = []
        self._came = asyncio.Event()
        asyncio.get_running_loop().add_reader(sock, self._read)

    def _read(self) -> None:
        while True:
            try:
                data, sender = self.socket.recvfrom(1 << 16)
            except BlockingIOError:
                break
            self.received.append(data)
            self.senders.append(sender)
            self.got(data, sender)
        self._came.set()

    def got(self, data: bytes, sender: Any) -> None:
        """Handle a datagram; an echo overrides it."""

    async def has(self, count: int) -> list[bytes]:
        """Return everything received, once there are that many."""
        async with asyncio.timeout(20):
            while len(self.received) < count:
                self._came.clear()
                await self._came.wait()
        return self.received

    async def has_met(self, data: bytes) -> list[bytes]:
        """Return everything received before `data`, once that has arrived."""
        async with asyncio.timeout(20):
            while data not in self.received:
                self._came.clear()
                await self._came.wait()
        return self.received[: self.received.index(data)]

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Service(_Peer):
    """A listening peer that optionally answers each datagram with itself."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, echoes: bool = False) -> None:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((host, port))
        super().__init__(sock)
        self.echoes = echoes

    @property
    def address(self) -> tuple[str, int]:
        host, port, *_ = self.socket.getsockname()
        return host, port

    def got(self, data: bytes, sender: Any) -> None:
        if self.echoes:
            self.socket.sendto(data, sender)


class Client(_Peer):
    """A peer that sends to one address."""

    def __init__(self, address: tuple[str, int]) -> None:
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(address)
        super().__init__(sock)

    def send(self, *datagrams: bytes) -> None:
        for data in datagrams:
            self.socket.send(data)


@asynccontextmanager
async def proxied(
    *toxics: Toxic, echoes: bool = False, host: str = "127.0.0.1", seed: int = SEED, **options: Any
) -> AsyncGenerator[tuple[DatagramProxy, Service, Client], None]:
    """Run a service, a proxy in front of it with toxics that are always active, and a client of that."""
    with Service(host, echoes=echoes) as service:
        async with DatagramProxy(service.address, host=host, seed=seed, toxics=toxics, **options) as proxy:
            with Client(proxy.address) as client:
                yield proxy, service, client


def numbered(count: int = MANY, size: int = 20) -> list[bytes]:
    """Return datagrams that can be told apart."""
    return [b"%d" % number + b"." * size for number in range(count)]


def chosen(rate: float, name: str, *, direction: str = "upstream", seed: int = SEED) -> list[int]:
    """Return the datagrams of the first client that a toxic with this rate picks: it rolls once for each."""
    rng = DatagramRng(seed, 0, direction, name)
    found: list[int] = []
    for number in range(MANY):
        rng.start(number, 0)
        if rng.random() < rate:
            found.append(number)
    return found


def without(all_of: Sequence[_T], numbers: Sequence[int]) -> list[_T]:
    """Return the datagrams that aren't at these places."""
    return [each for number, each in enumerate(all_of) if number not in numbers]


def tasks_and_fds() -> tuple[int, int]:
    """Return the number of tasks and file descriptors."""
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))
