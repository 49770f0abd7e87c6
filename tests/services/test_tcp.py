"""TcpService over real connections, on asyncio and on uvloop."""

import asyncio
import logging
import socket
import struct
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from looprig.exceptions import LooprigError, ServiceStartError, StuckTaskError
from looprig.net.ports import accepts_connections
from looprig.services.tcp import TcpService
from tests.running import running
from tests.services.conftest import Run, Tls


@dataclass(kw_only=True)
class Lines(TcpService):
    """A service that sends each line back; some lines do more."""

    greeting: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    stuck: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    released: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    served: int = field(default=0, init=False)

    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.served += 1
        try:
            writer.write(self.greeting.encode())
            while line := await reader.readline():
                await self.answer(line, writer)
        finally:
            self.ended.set()

    async def answer(self, line: bytes, writer: StreamWriter) -> None:
        match line:
            case b"raise\n":
                raise ValueError("asked to raise")
            case b"upstream\n":
                raise ConnectionResetError("by an upstream")
            case b"flood\n":
                while True:
                    writer.write(bytes(1 << 20))
                    await writer.drain()
            case b"stay\n":
                self.stuck.set()
                while not self.released.is_set():
                    with suppress(asyncio.CancelledError):
                        await self.released.wait()
            case _:
                writer.write(line)
                await writer.drain()


def test_each_client_is_served_by_a_handler(run: Run) -> None:
    """Several at once; the port is closed when the service stops."""

    async def scenario() -> None:
        async with running(Lines(greeting="hello\n")) as lines:
            address = lines.address
            assert (lines.port, lines.host) == (address.port, address.host)
            clients = [await asyncio.open_connection(*address) for _ in range(3)]
            for reader, writer in clients:
                writer.write(b"line\n")
                assert await reader.readline() == b"hello\n"
                assert await reader.readline() == b"line\n"
            for reader, writer in clients:
                writer.write_eof()
                assert await reader.read() == b""
                writer.close()
            assert lines.served == 3
        assert not await accepts_connections(*address)
        with pytest.raises(LooprigError, match="Lines is not running, so it has no address"):
            _ = lines.port

    run(scenario())


def test_stopping_cancels_handlers_and_closes_their_connections(run: Run) -> None:
    """Idle connections, and one that can't send its data: the client just reads to the end."""

    async def scenario() -> None:
        async with running(Lines()) as lines:
            idle, idle_writer = await asyncio.open_connection(*lines.address)
            idle_writer.write(b"line\n")
            await idle.readline()
            flooded, flooded_writer = await asyncio.open_connection(*lines.address)
            flooded_writer.write(b"flood\n")
            await flooded.readexactly(1)
        assert lines.ended.is_set()
        for reader, writer in ((idle, idle_writer), (flooded, flooded_writer)):
            with suppress(ConnectionResetError):
                await reader.read()
            writer.close()

    run(scenario())


def test_what_a_handler_raises_is_logged_at_once_and_raised_at_stop(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """All errors, in one group; the connections are closed."""

    async def two_fail() -> None:
        async with running(Lines()) as lines:
            for line in (b"raise\n", b"upstream\n"):
                reader, writer = await asyncio.open_connection(*lines.address)
                writer.write(line)
                assert await reader.read() == b""
                writer.close()
            assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2

    async def scenario() -> None:
        with pytest.raises(ExceptionGroup, match="handlers of Lines raised") as raised:
            await two_fail()
        assert [repr(error) for error in raised.value.exceptions] == [
            "ValueError('asked to raise')",
            "ConnectionResetError('by an upstream')",
        ]

    run(scenario())


def test_a_client_that_resets_its_connection_is_no_fault_of_the_service(run: Run) -> None:
    """The handler ends, and stopping raises nothing."""

    async def scenario() -> None:
        async with running(Lines(greeting="hello\n")) as lines:
            loop = asyncio.get_running_loop()
            with socket.socket() as client:
                client.setblocking(False)
                await loop.sock_connect(client, lines.address)
                assert await loop.sock_recv(client, 100) == b"hello\n"
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.wait_for(lines.ended.wait(), 10)

    run(scenario())


def test_a_handler_that_swallows_its_cancellation_does_not_hang_the_stop(run: Run) -> None:
    """It is reported, with the place where it is defined."""

    async def one_stays(lines: Lines) -> None:
        async with running(lines):
            _, writer = await asyncio.open_connection(*lines.address)
            writer.write(b"stay\n")
            await asyncio.wait_for(lines.stuck.wait(), 10)
            writer.close()

    async def scenario() -> None:
        lines = Lines(shutdown_timeout=0.01)
        with pytest.raises(ExceptionGroup) as raised:
            await one_stays(lines)
        (error,) = raised.value.exceptions
        assert isinstance(error, StuckTaskError)
        assert "1 of the handlers of Lines did not end within 0.01 s of being cancelled." in str(error)
        assert "test_tcp.py:" in str(error)
        lines.released.set()
        await asyncio.wait_for(lines.ended.wait(), 10)

    run(scenario())


def test_tls_is_spoken_where_a_context_is_given(run: Run, tls: Tls) -> None:
    """The client verifies the certificate for the address."""

    async def scenario() -> None:
        async with running(Lines(tls=tls.server)) as lines:
            reader, writer = await asyncio.open_connection(*lines.address, ssl=tls.client)
            writer.write(b"line\n")
            assert await reader.readline() == b"line\n"
            writer.close()
            await writer.wait_closed()

    run(scenario())


def test_a_host_that_cannot_be_bound_is_told(run: Run) -> None:
    """The error shows where the service is declared."""

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=r"Lines cannot listen on 192\.0\.2\.1: (?s:.*)test_tcp\.py:"):
            async with running(Lines(host="192.0.2.1")):
                pass

    run(scenario())


def test_a_service_can_be_started_again(run: Run) -> None:
    """Errors of its handlers from the first time aren't raised again."""
    lines = Lines()

    async def one_fails() -> None:
        async with running(lines):
            reader, writer = await asyncio.open_connection(*lines.address)
            writer.write(b"raise\n")
            await reader.read()
            writer.close()

    async def scenario() -> None:
        with pytest.raises(ExceptionGroup):
            await one_fails()
        async with running(lines):
            assert await accepts_connections(*lines.address)

    run(scenario())
