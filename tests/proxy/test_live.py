"""Toxics applied and removed while bytes are under way: nothing is lost, doubled or reordered."""

import asyncio
import random
import socket
import struct
import time

import pytest

from looprig.net.tcp.proxy import TcpProxy
from looprig.toxics import Bandwidth, Corrupt, Discard, Latency, Slice, SlowClose, Stall, Transform
from tests.proxy.conftest import Run
from tests.proxy.peers import Echo, Recording, echoing, meet, proxied, until


def test_65_536_numbered_chunks_arrive_in_order_under_toxics_that_come_and_go(run: Run) -> None:
    count = 1 << 16

    async def scenario() -> None:
        served = Recording()
        async with proxied(lambda: served) as proxy:
            _, writer = await asyncio.open_connection(*proxy.address)
            rng = random.Random(7)
            coming_and_going = 0

            async def change() -> None:
                nonlocal coming_and_going
                while True:
                    toxic = rng.choice([Latency(0.004, 0.004), Slice(1), Bandwidth(1_000_000), Stall()])
                    with proxy.apply(toxic):
                        await asyncio.sleep(rng.random() / 500)
                    coming_and_going += 1
                    await asyncio.sleep(0)

            changing = asyncio.create_task(change())
            for number in range(count):
                writer.write(struct.pack(">H", number))
                if number % 64 == 0:
                    await asyncio.sleep(0)
            writer.write_eof()
            await until(lambda: served.ended)
            changing.cancel()
            writer.close()
            assert served.received == b"".join(struct.pack(">H", number) for number in range(count))
            assert coming_and_going > 20

    run(scenario())


def test_a_toxic_taken_off_while_the_peer_stalls_loses_no_byte(run: Run) -> None:
    """The peer reads nothing until every buffer in between is full.

    The kernel's buffers grow as it sees fit. So the peer's buffer has a fixed size, and there is more to send than all
    others can hold.
    """
    payload = random.Random(3).randbytes(64 << 20)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
            async with TcpProxy(server.getsockname(), window=4 << 20) as proxy:
                client = socket.socket()
                client.setblocking(False)
                await loop.sock_connect(client, proxy.address)
                upstream, _ = await loop.sock_accept(server)
                (connection,) = proxy.connections
                received = bytearray()
                with proxy.apply(Latency(0.01), Slice(50_000), Bandwidth(500 << 20)):
                    sending = asyncio.create_task(loop.sock_sendall(client, payload))
                    await until(lambda: connection.held >= 4 << 20)
                    last = -1
                    while connection.sent_upstream != last:  # until nothing moves
                        last = connection.sent_upstream
                        await asyncio.sleep(0.1)
                    assert connection.held <= (4 << 20) + (1 << 18)  # the window, and one read
                assert not sending.done()
                while len(received) < len(payload):
                    received += await loop.sock_recv(upstream, 1 << 20)
                await sending
                assert received == payload
                client.close()
                upstream.close()

    run(scenario())


def test_what_a_long_latency_holds_goes_on_at_once_when_it_is_taken_off(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(Latency(3600)):
                writer.write(b"held ")
                await until(lambda: proxy.connections[0].held > 0)
            writer.write(b"free")
            assert await reader.readexactly(9) == b"held free"
            writer.close()

    run(scenario())


def test_what_comes_after_a_long_latency_is_off_is_not_late_by_what_it_did_to_other_toxics(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            late = proxy.apply(Latency(3600))
            late.__enter__()
            with proxy.apply(Slice(3)):
                writer.write(b"held ")
                await until(lambda: proxy.connections[0].held > 0)
                late.__exit__(None, None, None)
                writer.write(b"new")
                assert await reader.readexactly(8) == b"held new"
            writer.close()

    run(scenario())


def test_of_two_delays_the_one_that_stays_still_counts(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(Latency(0.05, direction="upstream")):
                begin = time.monotonic()
                with proxy.apply(Latency(3600, direction="upstream")):
                    writer.write(b"x")
                    await until(lambda: proxy.connections[0].held > 0)
                assert await reader.readexactly(1) == b"x"
                assert time.monotonic() - begin >= 0.05
            writer.close()

    run(scenario())


def test_blocks_nest_and_toxics_are_passed_in_the_order_they_came(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            with (
                proxy.apply(Transform(lambda chunk: chunk + b"1", direction="upstream")),
                proxy.apply(Transform(lambda chunk: chunk + b"2", direction="upstream")),
            ):
                assert (await meet(proxy.address, b"x")).data == b"x12"
            assert (await meet(proxy.address, b"x")).data == b"x"

    run(scenario())


def test_stall_lets_nothing_new_through_and_loses_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(Stall(direction="upstream")):
                writer.write(b"later")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await reader.readexactly(1)
                assert proxy.connections[0].sent_upstream == 0
            assert await reader.readexactly(5) == b"later"
            writer.close()

    run(scenario())


def test_a_connection_that_comes_into_a_stall_waits_with_what_it_brings(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            with proxy.apply(Stall()):
                reader, writer = await asyncio.open_connection(*proxy.address)
                writer.write(b"early")
                await proxy.wait_connections(1)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await reader.readexactly(1)
            assert await reader.readexactly(5) == b"early"
            writer.close()

    run(scenario())


def test_what_was_read_before_a_connection_begins_does_not_slip_through_a_stall(run: Run) -> None:
    """A service that speaks first is read as soon as it is connected, before its client is."""

    class Greeting(Recording):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.write(b"welcome")

    async def scenario() -> None:
        async with proxied(Greeting) as proxy:
            with proxy.apply(Stall(direction="downstream")):
                reader, writer = await asyncio.open_connection(*proxy.address)
                await proxy.wait_connections(1)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await reader.readexactly(1)
            assert await reader.readexactly(7) == b"welcome"
            writer.close()

    run(scenario())


def test_stall_fills_the_window_of_the_sender(run: Run) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with proxied(Recording) as proxy:
            client = socket.socket()
            client.setblocking(False)
            with proxy.apply(Stall()):
                await loop.sock_connect(client, proxy.address)
                await proxy.wait_connections(1)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await loop.sock_sendall(client, bytes(64 << 20))
                assert proxy.connections[0].held <= 1 << 18
            client.close()

    run(scenario())


def test_discard_swallows_and_the_connections_that_lost_bytes_are_reset_after_it(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            lossy, idle = [await asyncio.open_connection(*proxy.address) for _ in range(2)]
            await proxy.wait_connections(2)
            with proxy.apply(Discard(direction="upstream")):
                lossy[1].write(b"gone")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await lossy[0].readexactly(1)
            with pytest.raises(ConnectionResetError):
                await lossy[0].read()
            idle[1].write(b"kept")
            assert await idle[0].readexactly(4) == b"kept"
            for _, writer in (lossy, idle):
                writer.close()

    run(scenario())


def test_slow_close_delays_the_end_and_not_the_bytes(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(SlowClose(0.05, direction="downstream")) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            begin = time.monotonic()
            writer.write(b"bytes")
            writer.write_eof()
            assert await reader.readexactly(5) == b"bytes"
            assert await reader.read() == b""
            assert time.monotonic() - begin >= 0.05
            writer.close()

    run(scenario())


def test_bandwidth_takes_its_time_and_holds_the_sender_back(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(Bandwidth(1_000_000, direction="upstream")) as proxy:
            begin = time.monotonic()
            met = await meet(proxy.address, b"z" * 100_000)
            assert time.monotonic() - begin >= 0.1
            assert met.data == b"z" * 100_000

    run(scenario())


async def corrupted(payload: bytes, size: int) -> bytes:
    """Return what arrives of a payload that is sent in pieces of a size."""
    served = Recording()
    async with proxied(lambda: served, seed=1, toxics=(Corrupt(0.001),)) as proxy:
        _, writer = await asyncio.open_connection(*proxy.address)
        for at in range(0, len(payload), size):
            writer.write(payload[at : at + size])
            if size < 1000:
                await asyncio.sleep(0)
        writer.write_eof()
        await until(lambda: served.ended)
        writer.close()
    return bytes(served.received)


def test_corrupt_flips_the_same_bits_however_the_stream_is_cut(run: Run) -> None:
    payload = bytes(20_000)

    async def scenario() -> None:
        got = [await corrupted(payload, size) for size in (1, 977, 20_000)]
        assert got[0] == got[1] == got[2] != payload
        flipped = sum(byte.bit_count() for byte in got[0])
        assert 100 <= flipped <= 230  # of 160,000 bits, one in a thousand

    run(scenario())


@pytest.mark.parametrize("is_async", [False, True])
def test_transform_sends_what_the_function_gives_and_in_order(run: Run, is_async: bool) -> None:
    async def later(chunk: bytes) -> bytes:
        await asyncio.sleep(0.001 if chunk.startswith(b"0") else 0)
        return chunk.upper()

    async def scenario() -> None:
        fn = later if is_async else bytes.upper
        async with echoing(Transform(fn, direction="upstream")) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            for number in range(20):
                writer.write(b"%d abc;" % number)
                await asyncio.sleep(0)
            writer.write_eof()
            assert await reader.read() == b"".join(b"%d ABC;" % number for number in range(20))
            writer.close()

    run(scenario())


def test_slice_cuts_what_was_sent_at_once(run: Run) -> None:
    class Counting(Echo):
        chunks: list[int]

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            chunks.clear()

        def data_received(self, data: bytes) -> None:
            chunks.append(len(data))
            super().data_received(data)

    chunks: list[int] = []

    async def scenario() -> None:
        async with proxied(Counting, toxics=(Slice(10, delay=0.03, direction="upstream"),)) as proxy:
            assert (await meet(proxy.address, b"0123456789" * 10)).data == b"0123456789" * 10
            assert len(chunks) > 3
            assert sum(chunks) == 100

    run(scenario())


def test_a_block_may_outlive_its_proxy(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            block = proxy.apply(Latency(0.1))
            block.__enter__()
        block.__exit__(None, None, None)

    run(scenario())
