"""Bytes through a proxy: all arrive, in order, and each direction ends separately."""

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import cast

import pytest

from looprig import TcpProxy, timeout
from looprig.toxics import Bandwidth, Latency, Reset, Slice, Stall, Toxic
from tests.proxy.conftest import Run
from tests.proxy.peers import Echo, Recording, echoing, meet, proxied, tasks_and_fds

SEED = 20251


async def chopped(payload: bytes, rng: random.Random) -> AsyncIterator[bytes]:
    at = 0
    while at < len(payload):
        size = rng.randint(1, 8000)
        yield payload[at : at + size]
        at += size


async def _echo_exactly(proxy: TcpProxy, number: int, met: Counter[str]) -> None:
    rng = random.Random(f"{SEED}/{number}")
    payload = rng.randbytes(rng.choice([1, 10, 1000, 3000, 5000, 20_000, 100_000 if number % 50 == 0 else 3000]))
    got = await meet(proxy.address, pieces=chopped(payload, rng))
    if got.was_reset:
        met["exact prefix" if payload.startswith(got.data) else "wrong"] += 1
    else:
        met["exact" if payload == got.data else "wrong"] += 1


async def _change_toxics(proxy: TcpProxy) -> None:
    rng = random.Random(SEED)
    while True:
        toxic: Toxic = rng.choice(
            [
                Latency(0.005, 0.004),
                Slice(1500, 500),
                Bandwidth(5_000_000),
                Reset(after_bytes=rng.randrange(5000), probability=0.2),
                Reset(after=rng.random() / 50, probability=0.1),
                Stall(),
            ]
        )
        with proxy.apply(toxic, Latency(0.001)):
            await asyncio.sleep(rng.random() / 100)
        await asyncio.sleep(rng.random() / 100)


@timeout(600)  # it is much work, and a busy machine may be ten times slower
def test_10_000_connections_under_changing_toxics_echo_exactly_or_up_to_a_reset(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            await meet(proxy.address)  # a loop opens some descriptors of its own on first use
        await asyncio.sleep(0)
        before = tasks_and_fds()
        met: Counter[str] = Counter()
        left = iter(range(10_000))
        async with echoing(seed=SEED) as proxy:
            changing = asyncio.create_task(_change_toxics(proxy))

            async def clients() -> None:
                for number in left:
                    await _echo_exactly(proxy, number, met)

            await asyncio.gather(*(clients() for _ in range(200)))
            changing.cancel()
            await asyncio.wait([changing])
            await proxy.wait_connections(0)
            assert proxy.connections == ()
        await asyncio.sleep(0)
        assert tasks_and_fds() == before
        assert met["wrong"] == 0
        assert met["exact"] > 5000
        assert met["exact prefix"] > 10
        assert met.total() == 10_000

    run(scenario())


def test_2_000_clients_that_end_their_direction_first_get_the_whole_reply(run: Run) -> None:
    class Replying(asyncio.Protocol):
        """A server that answers only after its client has ended."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.Transport", transport)
            self.size = 0

        def data_received(self, data: bytes) -> None:
            self.size += len(data)

        def eof_received(self) -> bool:
            self.transport.write(b"%d" % self.size + b"." * 50_000)
            self.transport.close()
            return True

    async def scenario() -> None:
        async with proxied(Replying) as proxy:
            for _ in range(20):
                met = await asyncio.gather(*(meet(proxy.address, b"x" * size) for size in range(1, 101)))
                assert [each.data for each in met] == [b"%d" % size + b"." * 50_000 for size in range(1, 101)]

    run(scenario())


def test_an_upstream_that_reads_late_gets_all_and_little_is_held_meanwhile(run: Run) -> None:
    offered = 300 << 20

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        accepted: asyncio.Queue[socket.socket] = asyncio.Queue()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)

            async def accept() -> None:
                accepted.put_nowait((await loop.sock_accept(server))[0])

            accepting = asyncio.create_task(accept())
            async with TcpProxy(server.getsockname(), window=1 << 20) as proxy:
                client = socket.socket()
                client.setblocking(False)
                await loop.sock_connect(client, proxy.address)
                sending = asyncio.create_task(loop.sock_sendall(client, bytes(offered)))
                upstream = await accepted.get()
                (connection,) = proxy.connections
                most, last = 0, -1
                while connection.sent_upstream != last:  # until all buffers on the way are full
                    last = connection.sent_upstream
                    for _ in range(200):
                        most = max(most, connection.held)
                        await asyncio.sleep(0.001)
                assert not sending.done()
                assert 0 < most <= 3 << 19
                size = 0
                while size < offered:
                    size += len(await loop.sock_recv(upstream, 1 << 20))
                    most = max(most, connection.held)
                assert most <= 3 << 19
                await sending
                assert size == offered
                client.close()
                upstream.close()
                await proxy.wait_connections(0)
            await accepting

    run(scenario())


@pytest.mark.parametrize("delay", [0.02, 0.05])
def test_latency_delays_each_byte_by_what_it_says_and_never_less(run: Run, delay: float) -> None:
    async def scenario() -> None:
        async with echoing(Latency(delay, direction="upstream")) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            sent: list[float] = []
            late: list[float] = []

            async def read() -> None:
                for number in range(30):
                    assert await reader.readexactly(1) == bytes([number])
                    late.append(time.monotonic() - sent[number])

            reading = asyncio.create_task(read())
            for number in range(30):
                sent.append(time.monotonic())
                writer.write(bytes([number]))
                await asyncio.sleep(0.005)
            await reading
            writer.close()
            assert min(late) >= delay

    run(scenario())


def test_an_end_waits_for_the_bytes_before_it(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(Latency(0.02), Slice(100)) as proxy:
            met = await meet(proxy.address, bytes(range(250)) * 40)
            assert met.data == bytes(range(250)) * 40
            assert not met.was_reset

    run(scenario())


def test_both_sockets_of_a_connection_send_at_once(run: Run) -> None:
    """Nagle's algorithm would delay a second small write until the first is acknowledged, up to 40 ms."""

    async def scenario() -> None:
        async with echoing() as proxy:
            _, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            connection = proxy._running().connections[0]
            assert connection.service is not None
            for side in (connection.client, connection.service):
                assert side.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()

    run(scenario())


def test_a_service_that_speaks_first_is_heard(run: Run) -> None:
    class Greeting(Recording):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.write(b"220 ready\r\n")

    async def scenario() -> None:
        async with proxied(Greeting) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            assert await reader.readline() == b"220 ready\r\n"
            writer.close()
            await writer.wait_closed()

    run(scenario())


def test_a_client_is_not_read_before_the_service_has_taken_its_connection(run: Run) -> None:
    """Its bytes wait in the kernel: nothing is held for a connection that may never succeed."""

    async def scenario() -> None:
        async with proxied(Echo) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"early")
            assert await reader.readexactly(5) == b"early"
            kinds = [event.kind for event in proxy.events]
            assert kinds[:2] == ["accepted", "connected"]
            writer.close()

    run(scenario())
