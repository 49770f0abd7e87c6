"""TLS through a proxy: passed through unchanged, or terminated so that toxics see plain bytes."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from looprig import TcpProxy
from looprig.toxics import Effect, Flow, Reset, Send, Toxic, Transform
from tests.proxy.conftest import Run
from tests.proxy.peers import until
from tests.services.conftest import Tls, tls

__all__ = ["tls"]


@dataclass(frozen=True, slots=True)
class Seen(Toxic):
    """A toxic that records what it sees, and passes it on."""

    seen: tuple[bytearray, ...] = (bytearray(),)

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        self.seen[0].extend(data)
        yield Send(data)


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()
        await writer.wait_closed()
    except (ConnectionError, ssl.SSLError):
        writer.transport.abort()


async def ask(proxy: TcpProxy, trust: ssl.SSLContext | None) -> bytes:
    reader, writer = await asyncio.open_connection(*proxy.address, ssl=trust)
    try:
        writer.write(b"secret\n")
        return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


def test_tls_passes_through_and_toxics_meet_ciphertext(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=tls.server)
        looking = Seen(seen=(bytearray(),))
        async with TcpProxy(server.sockets[0].getsockname(), toxics=[looking]) as proxy:
            assert await ask(proxy, tls.client) == b"SECRET\n"
            assert proxy.client_tls is None
        assert b"secret" not in looking.seen[0]
        assert len(looking.seen[0]) > 100
        server.close()

    run(scenario())


def test_a_proxy_that_terminates_tls_lets_toxics_meet_plaintext(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=tls.server)
        address = server.sockets[0].getsockname()
        looking = Seen(seen=(bytearray(),), direction="upstream")
        async with TcpProxy(address, toxics=[looking], terminate_tls=True, upstream_tls=tls.client) as proxy:
            assert await ask(proxy, proxy.client_tls) == b"SECRET\n"
            with proxy.apply(Transform(lambda chunk: chunk.replace(b"SECRET", b"PUBLIC"), direction="downstream")):
                assert await ask(proxy, proxy.client_tls) == b"PUBLIC\n"
            await proxy.wait_connections(0)
        assert looking.seen[0] == b"secret\nsecret\n"
        server.close()

    run(scenario())


def test_who_does_not_trust_the_proxy_is_told_and_so_is_the_test(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=tls.server)
        address = server.sockets[0].getsockname()
        async with TcpProxy(address, terminate_tls=True, upstream_tls=tls.client) as proxy:
            with pytest.raises(ssl.SSLCertVerificationError):
                await ask(proxy, tls.client)
            await proxy.wait_connections(0)
            (error,) = proxy.take_errors()
            assert "Connection #0 could not be made with the client " in str(error)
        async with TcpProxy(address, terminate_tls=True) as proxy:  # which doesn't trust the service
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await ask(proxy, proxy.client_tls)
            await proxy.wait_connections(0)
            assert "CERTIFICATE_VERIFY_FAILED" in str(proxy.take_errors()[0])
        server.close()

    run(scenario())


def test_a_reset_goes_through_terminated_tls(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=tls.server)
        address = server.sockets[0].getsockname()
        async with TcpProxy(address, terminate_tls=True, upstream_tls=tls.client) as proxy:
            with proxy.apply(Reset(after_bytes=3, direction="downstream")):
                reader, writer = await asyncio.open_connection(*proxy.address, ssl=proxy.client_tls)
                writer.write(b"secret\n")
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            writer.close()
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await writer.wait_closed()
            await proxy.wait_connections(0)
        server.close()

    run(scenario())


def test_a_client_that_never_shakes_hands_does_not_keep_the_proxy_from_ending(run: Run, tls: Tls) -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=tls.server)
        address = server.sockets[0].getsockname()
        async with asyncio.timeout(5):
            async with TcpProxy(address, terminate_tls=True, upstream_tls=tls.client) as proxy:
                _, writer = await asyncio.open_connection(*proxy.address)
                await until(lambda: proxy._running().connections[0].client.is_handed)
        proxy.take_errors()
        writer.close()
        server.close()

    run(scenario())
