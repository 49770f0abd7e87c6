"""Clean ends: of connections, and of the proxy itself."""

import asyncio
import socket

import pytest

from looprig import LooprigError, TcpProxy
from looprig.toxics import Latency
from tests.proxy.conftest import Run
from tests.proxy.peers import Recording, echoing, proxied, serving, until


async def read_all(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    while await loop.sock_recv(client, 1 << 20):
        pass


def test_disconnect_all_ends_in_good_order_after_what_was_held(run: Run) -> None:
    async def scenario() -> None:
        served: list[Recording] = []

        def serve() -> Recording:
            served.append(Recording())
            return served[-1]

        async with proxied(serve) as proxy:
            clients = [await asyncio.open_connection(*proxy.address) for _ in range(5)]
            await proxy.wait_connections(5)
            for _, writer in clients:
                writer.write(b"last words")
            await until(lambda: sum(connection.sent_upstream for connection in proxy.connections) == 50)
            await proxy.disconnect_all()
            for reader, writer in clients:
                assert await reader.read() == b""
                writer.close()
            await until(lambda: all(each.ended for each in served))
            for each in served:
                assert each.received == b"last words"
                each.transport.close()
            await proxy.wait_connections(0)
            assert not any(event.kind == "reset" for event in proxy.events)

    run(scenario())


def test_disconnect_all_meets_a_connection_in_the_making_too(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            for ticks in range(10):
                reader, writer = await asyncio.open_connection(*proxy.address)
                for _ in range(ticks):
                    await asyncio.sleep(0)
                await proxy.disconnect_all()
                assert await reader.read() == b""
                writer.close()

    run(scenario())


def test_disconnect_all_resets_who_does_not_read(run: Run) -> None:
    class Pouring(Recording):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.write(bytes(40 << 20))

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with proxied(Pouring) as proxy:
            with socket.socket() as client:
                client.setblocking(False)
                await loop.sock_connect(client, proxy.address)
                await proxy.wait_connections(1)
                (connection,) = proxy.connections
                last = -1
                while connection.held < 1 << 18 or connection.sent_downstream != last:  # until nothing moves
                    last = connection.sent_downstream
                    await asyncio.sleep(0.1)
                await proxy.disconnect_all(grace=0.05)
                with pytest.raises(ConnectionResetError):
                    await read_all(loop, client)
            await proxy.wait_connections(0)

    run(scenario())


@pytest.mark.parametrize("has_ended", [False, True])
def test_the_end_of_a_proxy_cuts_nobody_short_without_a_reset(run: Run, *, has_ended: bool) -> None:
    """A little is left in the proxy's own buffer: too little to make the service wait."""
    size = 16 << 20

    class Pouring(Recording):
        def eof_received(self) -> bool:  # type: ignore[override]
            self.transport.write(bytes(size))
            if has_ended:
                self.transport.write_eof()
            return True

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            async with proxied(Pouring) as proxy:
                await loop.sock_connect(client, proxy.address)
                await proxy.wait_connections(1)
                (connection,) = proxy.connections
                own = proxy._running().connections[0].client.sock
                own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)  # so that it empties in small steps
                client.shutdown(socket.SHUT_WR)
                read = 0
                while connection.sent_downstream < size or connection.held >= 1 << 16:
                    read += len(await loop.sock_recv(client, 1 << 12))
                    await asyncio.sleep(0)
            try:
                while data := await loop.sock_recv(client, 1 << 20):
                    read += len(data)
            except ConnectionResetError:
                return  # it got the error that something is missing
            assert read == size

    run(scenario())


def test_a_proxy_that_ends_leaves_no_client_without_an_end(run: Run) -> None:
    async def scenario() -> None:
        async with serving(Recording) as address:
            async with TcpProxy(address) as proxy:
                reader, writer = await asyncio.open_connection(*proxy.address)
                await proxy.wait_connections(1)
                where = proxy.address
            assert await reader.read() == b""
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*where)
            with pytest.raises(LooprigError, match="isn't running"):
                proxy.address  # noqa: B018 - asking is what fails

    run(scenario())


def test_disconnect_all_and_the_end_meet_clients_whose_reset_nobody_has_read_yet(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            for _ in range(20):
                _, writer = await asyncio.open_connection(*proxy.address)
                await proxy.wait_connections(1)
                with socket.socket(fileno=writer.get_extra_info("socket").fileno()) as own:
                    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    writer.transport.abort()
                    own.detach()
                await asyncio.sleep(0)
                await proxy.disconnect_all()
                await proxy.wait_connections(0)

    run(scenario())


def test_what_was_held_counts_as_sent_once_the_end_has_sent_it(run: Run) -> None:
    """Like data sent when it is due: the counts are of what the peers get."""

    async def scenario() -> None:
        served = Recording()
        async with proxied(lambda: served) as proxy:
            _, writer = await asyncio.open_connection(*proxy.address)
            with proxy.apply(Latency(3600)):
                await proxy.wait_connections(1)
                (connection,) = proxy.connections
                writer.write(b"held")
                await until(lambda: connection.held == 4)
                assert connection.sent_upstream == 0
                await proxy.disconnect_all()
            await until(lambda: served.ended)
            assert (bytes(served.received), connection.sent_upstream, connection.sent_downstream) == (b"held", 4, 0)
            writer.close()

    run(scenario())
