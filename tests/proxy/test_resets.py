"""A reset stays a reset: on both sides, whoever caused it, and however new the connection is."""

import asyncio
import socket
from collections import Counter
from typing import Any

import pytest

from looprig import ProxyError, TcpProxy
from looprig.net.ports import hold_port
from looprig.toxics import HalfClose, Latency, Limit, Reset, Slice
from looprig.toxics.rule import Direction
from tests.limits import run_on
from tests.proxy.conftest import Run
from tests.proxy.peers import Echo, Recording, echoing, meet, proxied, reset, until

TIMES = 1000


async def read_all(sock: socket.socket) -> None:
    while await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
        pass


AT_ONCE = 50


def test_1_000_clients_that_reset_give_the_service_a_reset(run: Run) -> None:
    async def scenario() -> None:
        served: list[Recording] = []

        def serve() -> Recording:
            served.append(Recording())
            return served[-1]

        async with proxied(serve) as proxy:
            for _ in range(TIMES // AT_ONCE):
                clients = [await asyncio.open_connection(*proxy.address) for _ in range(AT_ONCE)]
                await proxy.wait_connections(AT_ONCE)
                for _, writer in clients:
                    writer.write(b"unfinished")
                for _, writer in clients:
                    reset(writer)
                await proxy.wait_connections(0)
            ends = Counter([type(await each.lost) for each in served])
            assert ends == {ConnectionResetError: TIMES}

    run(scenario())


def test_a_client_that_ended_and_then_reset_gives_the_service_that_answers_a_reset(run: Run) -> None:
    class Patient(Recording):
        """A server that waits before it answers."""

        def eof_received(self) -> bool:  # type: ignore[override]
            self.ended = True
            return True

    async def scenario() -> None:
        served = Patient()
        async with proxied(lambda: served) as proxy:
            _, writer = await asyncio.open_connection(*proxy.address)
            writer.write_eof()
            await until(lambda: served.ended)
            reset(writer)

            def answers_in_vain() -> bool:  # a loop doesn't watch a socket that has ended, unless it writes to it
                if not served.transport.is_closing():
                    served.transport.write(b"too late")
                return served.lost.done()

            await until(answers_in_vain)
            assert isinstance(served.lost.result(), ConnectionResetError | BrokenPipeError)
            await proxy.wait_connections(0)

    run(scenario())


def test_1_000_services_that_reset_give_the_client_a_reset(run: Run) -> None:
    class Resetting(Echo):
        def data_received(self, data: bytes) -> None:
            self.transport.write(data)
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.transport.abort()

    async def scenario() -> None:
        async with proxied(Resetting) as proxy:
            for _ in range(TIMES // AT_ONCE):
                met = await asyncio.gather(*(meet(proxy.address, b"question") for _ in range(AT_ONCE)))
                assert all(each.was_reset and b"question".startswith(each.data) for each in met)

    run(scenario())


def test_1_000_clients_of_a_service_that_refuses_are_reset_and_each_is_reported(run: Run) -> None:
    async def scenario() -> None:
        with hold_port() as nobody:
            async with TcpProxy((nobody.host, nobody.port)) as proxy:
                for _ in range(TIMES // AT_ONCE):
                    met = await asyncio.gather(*(meet(proxy.address, b"hello") for _ in range(AT_ONCE)))
                    assert all(each.was_reset for each in met)
                errors = proxy.take_errors()
                assert len(errors) == TIMES
                assert all(isinstance(error.__cause__, ConnectionRefusedError) for error in errors)
                assert proxy.take_errors() == []

    run(scenario())


def test_a_refusal_that_nobody_takes_is_raised_when_the_proxy_ends(run: Run) -> None:
    async def scenario() -> None:
        with hold_port() as nobody, pytest.raises(ExceptionGroup) as raised:
            async with TcpProxy((nobody.host, nobody.port)) as proxy:
                assert (await meet(proxy.address)).was_reset
        (error,) = raised.value.exceptions
        assert isinstance(error, ProxyError)
        assert f"{nobody.host}:{nobody.port}" in str(error)
        assert "test_resets.py" in str(error)

    run(scenario())


def test_reset_put_on_an_idle_connection_resets_both_sides(run: Run) -> None:
    async def scenario() -> None:
        served = Recording()
        async with proxied(lambda: served) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(Reset()) as applied:
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                assert isinstance(await served.lost, ConnectionResetError)
            assert applied.struck == (0,)
            writer.close()

    run(scenario())


@pytest.mark.parametrize("after", [1, 100, 65_536, 200_000])
def test_reset_lets_exactly_so_many_bytes_through(run: Run, after: int) -> None:
    async def scenario() -> None:
        served = Recording()
        async with proxied(lambda: served, toxics=(Reset(after_bytes=after, direction="upstream"),)) as proxy:
            met = await meet(proxy.address, b"x" * 300_000)
            assert met.was_reset
            await served.lost
            assert len(served.received) <= after
            (ended,) = [event for event in proxy.events if event.kind == "reset"]
            assert (ended.toxic, ended.connection) == ("Reset", 0)

    run(scenario())


def test_reset_after_a_time_leaves_a_connection_alone_once_it_is_taken_off(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(Reset(after=0.02)):
                pass
            with proxy.apply(Latency(0.02, direction="upstream")):  # later than the reset would have been
                for _ in range(3):
                    writer.write(b"alive")
                    assert await reader.readexactly(5) == b"alive"
            with proxy.apply(Reset(after=0.01)), pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    run(scenario())


@pytest.mark.parametrize("ticks", range(14))
def test_reset_all_spares_no_connection_however_young(run: Run, ticks: int) -> None:
    """The peers don't read, and much is under way; connections may still be in the kernel, or half set up."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with proxied(Recording) as proxy:
            for _ in range(20):
                client = socket.create_connection(proxy.address)  # blocking, so the loop hasn't seen it
                client.setblocking(False)
                client.send(b"x" * 100_000)
                for _ in range(ticks):
                    await asyncio.sleep(0)
                async with asyncio.timeout(1):
                    await proxy.reset_all()
                assert proxy.connections == ()
                with pytest.raises(ConnectionResetError):
                    await loop.sock_recv(client, 1)
                client.close()

    run(scenario())


def test_a_reset_that_was_planned_is_forgotten_with_its_toxic_and_with_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A planned reset keeps the connection alive, here for an hour."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        planned: list[asyncio.TimerHandle] = []
        call_later = loop.call_later

        def noting(delay: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            handle = call_later(delay, *args, **kwargs)
            if delay == 3600:
                planned.append(handle)
            return handle

        monkeypatch.setattr(loop, "call_later", noting)
        async with echoing() as proxy:
            _, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(Reset(after=3600, direction="upstream")):
                assert [handle.cancelled() for handle in planned] == [False]
            assert [handle.cancelled() for handle in planned] == [True]
            with proxy.apply(Reset(after=3600, direction="upstream")):
                writer.close()
                await proxy.wait_connections(0)
                assert [handle.cancelled() for handle in planned] == [True, True]

    run_on(asyncio.new_event_loop, scenario())


def test_a_reset_reaches_a_peer_that_does_not_read(run: Run) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            # With a toxic on, the proxy reads on while the service reads nothing, so it notices the client's reset.
            async with TcpProxy(server.getsockname(), toxics=[Slice(1 << 20)]) as proxy:
                with socket.socket() as client:
                    client.setblocking(False)
                    await loop.sock_connect(client, proxy.address)
                    service, _ = await loop.sock_accept(server)
                    (connection,) = proxy.connections
                    while connection.held < 1 << 20:
                        await loop.sock_sendall(client, bytes(1 << 20))
                        await asyncio.sleep(0.01)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                await proxy.wait_connections(0)
                with pytest.raises(ConnectionResetError):
                    await read_all(service)
                service.close()

    run(scenario())


def test_reset_all_of_a_connection_that_is_half_gone(run: Run) -> None:
    """Both directions have ended. The service has received all of its bytes, but the client hasn't."""
    size = 200_000  # fits into the proxy's own buffers if the kernel's are small

    def shrink(sock: socket.socket) -> None:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 1 << 13)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
            for sock in (server, client):
                shrink(sock)
                sock.setblocking(False)
            async with TcpProxy(server.getsockname()) as proxy:
                await loop.sock_connect(client, proxy.address)
                service, _ = await loop.sock_accept(server)
                await proxy.wait_connections(1)
                connection = proxy._running().connections[0]
                assert connection.service is not None
                for side in (connection.client, connection.service):
                    shrink(side.sock)
                for each in (client, service):
                    await loop.sock_sendall(each, bytes(size))
                    each.shutdown(socket.SHUT_WR)
                await until(lambda: connection.state == "closing")
                assert not connection.service.is_lost
                read = 0
                while read < size:
                    read += len(await loop.sock_recv(service, 1 << 20))
                await until(lambda: connection.service is not None and connection.service.is_lost)
                assert not connection.client.is_lost
                await proxy.reset_all()
                assert proxy.connections == ()
                service.close()

    run(scenario())


def test_limit_ends_in_good_order_after_so_many_bytes(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(Limit(1000, direction="downstream")) as proxy:
            met = await meet(proxy.address, b"y" * 5000)
            assert met.data == b"y" * 1000
            assert not met.was_reset
            await proxy.wait_connections(0)

    run(scenario())


@pytest.mark.parametrize("direction", ["upstream", "downstream", "both"])
def test_limit_of_nothing_ends_each_new_connection_in_good_order(run: Run, direction: Direction) -> None:
    """The client has sent something by then. It is read, so that it doesn't turn the end into a reset."""

    async def scenario() -> None:
        async with echoing(Limit(0, direction=direction)) as proxy:
            for _ in range(20):
                met = await meet(proxy.address, b"unanswered")
                assert met.data == b""
                assert not met.was_reset

    run(scenario())


def test_half_close_ends_one_direction_and_the_other_goes_on(run: Run) -> None:
    class Answering(Recording):
        def eof_received(self) -> None:
            self.transport.write(b"got %d" % len(self.received))

    async def scenario() -> None:
        async with proxied(Answering, toxics=(HalfClose(10, direction="upstream"),)) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"x" * 50)
            assert await reader.read() == b"got 10"
            writer.close()

    run(scenario())
