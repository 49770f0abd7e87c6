"""TLS that a proxy terminates: how it starts, ends and holds back, whatever its peers do."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from looprig import TcpProxy
from looprig.net.tcp import connection as connection_module
from looprig.toxics import Effect, Flow, Limit, Reset, Send, Stall, Toxic
from tests.proxy.conftest import Run
from tests.proxy.peers import Echo, Pouring, Recording, raw_client, serving, until
from tests.services.conftest import Tls, tls

__all__ = ["tls"]

GREETING = b"welcome"


@asynccontextmanager
async def terminating(
    protocol: Callable[[], asyncio.Protocol], tls: Tls, **settings: Any
) -> AsyncGenerator[TcpProxy, None]:
    async with (
        serving(protocol, tls=tls.server) as address,
        TcpProxy(address, terminate_tls=True, upstream_tls=tls.client, **settings) as proxy,
    ):
        yield proxy


def trusted(proxy: TcpProxy) -> ssl.SSLContext:
    assert proxy.client_tls is not None
    return proxy.client_tls


@asynccontextmanager
async def impolite(proxy: TcpProxy) -> AsyncGenerator[ssl.SSLSocket, None]:
    """A client that has completed the handshake, blocks, and never announces the end of its stream."""

    def connect() -> ssl.SSLSocket:
        plain = socket.create_connection(proxy.address, timeout=30)
        return trusted(proxy).wrap_socket(plain, server_hostname="127.0.0.1")

    client = await asyncio.to_thread(connect)
    try:
        yield client
    finally:
        client.close()


async def handed(proxy: TcpProxy) -> None:
    """Until the service is connected, the client would have to continue the handshake, or a greeting would come."""
    await until(lambda: any(each.client.is_handed for each in proxy._running().connections))
    await asyncio.sleep(0.02)


async def shake_hands(client: socket.socket, proxy: TcpProxy, count: int) -> bytes:
    """Return what a client that was already connected then reads."""
    context = trusted(proxy)
    reader, writer = await asyncio.open_connection(sock=client.dup(), ssl=context, server_hostname="127.0.0.1")
    try:
        return await reader.readexactly(count)
    finally:
        writer.close()


def test_a_client_that_never_agrees_to_the_end_keeps_neither_its_connection_nor_the_proxy(
    run: Run, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "_LAST_LOOKS", 10)

    async def scenario() -> None:
        async with asyncio.timeout(20), terminating(Echo, tls) as proxy, impolite(proxy) as client:
            with proxy.apply(Limit(2, direction="downstream")):
                await asyncio.to_thread(client.sendall, b"hi")
                assert await asyncio.to_thread(client.recv, 10) == b"hi"
                assert await asyncio.to_thread(client.recv, 10) == b""
                await proxy.wait_connections(0)

    run(scenario())


@pytest.mark.parametrize("agrees", [True, False])
def test_disconnect_all_ends_tls_in_good_order(run: Run, tls: Tls, *, agrees: bool) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(20), terminating(Echo, tls) as proxy:
            if agrees:
                reader, writer = await asyncio.open_connection(*proxy.address, ssl=trusted(proxy))
                writer.write(b"hi")
                assert await reader.readexactly(2) == b"hi"
                await proxy.disconnect_all(grace=60)
                assert await reader.read() == b""
                writer.close()
            else:
                async with impolite(proxy) as client:
                    await asyncio.to_thread(client.sendall, b"hi")
                    assert await asyncio.to_thread(client.recv, 10) == b"hi"
                    await proxy.disconnect_all(grace=60)
                    assert await asyncio.to_thread(client.recv, 10) == b""
            assert [event.detail for event in proxy.events if event.kind == "reset"] == []

    run(scenario())


def test_a_window_of_one_byte_carries_tls(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        async with terminating(Echo, tls, window=1) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address, ssl=trusted(proxy))
            writer.write(b"hello")
            async with asyncio.timeout(20):
                assert await reader.readexactly(5) == b"hello"
            writer.close()

    run(scenario())


def test_a_service_is_held_back_while_its_client_has_not_shaken_hands(run: Run, tls: Tls) -> None:
    window = 1 << 18

    async def scenario() -> None:
        served = Pouring()
        async with terminating(lambda: served, tls, window=window) as proxy, raw_client(proxy.address) as client:
            await handed(proxy)
            (connection,) = proxy.connections
            last = -1
            while connection.held != last:  # until nothing moves
                last = connection.held
                await asyncio.sleep(0.1)
            assert connection.held < window + (1 << 19)
            assert await shake_hands(client, proxy, len(served.pours)) == served.pours

    run(scenario())


def test_a_service_that_never_shakes_hands_is_told_after_the_connect_timeout(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        async with (
            serving(Recording) as address,
            TcpProxy(address, terminate_tls=True, upstream_tls=tls.client, connect_timeout=0.1) as proxy,
        ):
            async with asyncio.timeout(20):
                with pytest.raises(ConnectionError):
                    await asyncio.open_connection(*proxy.address, ssl=trusted(proxy))
                await proxy.wait_connections(0)
            (error,) = proxy.take_errors()
            assert "Connection #0 could not be made to the service at " in str(error)

    run(scenario())


@dataclass(frozen=True, slots=True)
class Noting(Toxic):
    """A toxic that records what it receives, in order."""

    told: list[bytes] = field(default_factory=list[bytes])

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        self.told.append(b"(start)")
        return ()

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        self.told.append(data)
        yield Send(data)


def test_a_toxic_that_is_applied_while_a_connection_is_made_begins_before_what_came_early(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        served = Pouring(pours=GREETING)
        noting = Noting(direction="downstream")
        async with terminating(lambda: served, tls) as proxy, raw_client(proxy.address) as client:
            await handed(proxy)
            with proxy.apply(noting):
                assert await shake_hands(client, proxy, len(GREETING)) == GREETING
            assert noting.told == [b"(start)", GREETING]

    run(scenario())


def test_a_reset_that_is_applied_to_a_stalled_connection_in_the_making_happens(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        served = Pouring(pours=GREETING)
        stalled = (Stall(direction="downstream"),)
        async with terminating(lambda: served, tls, toxics=stalled) as proxy, raw_client(proxy.address) as client:
            await handed(proxy)
            with proxy.apply(Reset(direction="downstream")), pytest.raises((ConnectionError, ssl.SSLError)):
                await shake_hands(client, proxy, len(GREETING))
            await proxy.wait_connections(0)

    run(scenario())


def test_the_service_is_done_shaking_hands_before_its_client_is(run: Run, tls: Tls) -> None:
    """A service has a limit for its handshake; a client that comes later must not make it miss that."""

    async def scenario() -> None:
        served = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served.set()
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls.server)
        address = server.sockets[0].getsockname()
        async with TcpProxy(address, terminate_tls=True, upstream_tls=tls.client) as proxy, raw_client(proxy.address):
            await served.wait()
        server.close()

    run(scenario())
