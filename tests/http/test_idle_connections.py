"""A connection that the service closed between two tests, while the loop didn't run, isn't used again."""

import asyncio
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import aiohttp
import pytest

from looprig.http.connections import Connections
from looprig.http.session import Session

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class Server(NamedTuple):
    """Its address, the event that makes it close its first connection, and the event that it sets then."""

    url: str
    close: threading.Event
    closed: threading.Event


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Run a server in a thread. It answers one request on each of two connections, and closes the first on demand.

    If the parameter is true, it closes that only after it has received one more request, which it doesn't answer.
    """
    hears_more = getattr(request, "param", False)
    close, closed = threading.Event(), threading.Event()

    def answer(connection: socket.socket, body: bytes) -> None:
        connection.settimeout(30)
        with connection, suppress(OSError):
            if connection.recv(1 << 16):
                connection.sendall(ANSWER + body)
                close.wait(60)
                if hears_more:
                    connection.recv(1 << 16)  # and then ends

    def serve() -> None:
        for body in (b"#0", b"#1"):
            with suppress(OSError):  # already shut down, if nobody came
                answer(listening.accept()[0], body)
            closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Server(f"http://127.0.0.1:{listening.getsockname()[1]}", close, closed)
        close.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("is_new", [True, False], ids=["a new client", "the same client"])
@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_no_request_is_sent_over_it(server: Server, kind: str, is_new: bool) -> None:
    """By the client of the next test, or by one that several tests or lines of one test use."""
    with asyncio.Runner(loop_factory=pytest.importorskip(kind).new_event_loop) as runner:
        shared = Connections(runner.get_loop(), None)
        client = Session(server.url, {}, 30.0, shared)
        assert runner.run(client.request("GET", "/", {})).body == b"#0"
        server.close.set()
        assert server.closed.wait(60)
        ((idle, _),) = next(iter(vars(shared.connector)["_conns"].values()))
        assert select.select([idle.transport.get_extra_info("socket").fileno()], [], [], 60)[0], "its end has come"
        if is_new:
            client.close()
            client = Session(server.url, {}, 30.0, shared)
        assert runner.run(client.request("GET", "/", {})).body == b"#1"
        client.close()
        runner.run(shared.close())


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_service_on_the_loop_closes_it_first(kind: str) -> None:
    """Its timer is due while the loop stands still, so it closes only when the loop runs again: for the request."""
    loop_factory = pytest.importorskip(kind).new_event_loop
    due = 0.0
    accepted: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal due
        accepted.append(writer)
        with suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER + b"#%d" % len(accepted))
            loop = asyncio.get_running_loop()
            due = loop.time() + 0.05
            loop.call_at(due, writer.close)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        server = runner.run(asyncio.start_server(answer, "127.0.0.1", 0))
        shared = Connections(runner.get_loop(), None)
        client = Session(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {}, 30.0, shared)
        assert runner.run(client.request("GET", "/", {})).body == b"#1"
        while runner.get_loop().time() < due + 0.001:
            time.sleep(0.001)
        assert runner.run(client.request("GET", "/", {})).body == b"#2"
        client.close()
        runner.run(shared.close())
        for writer in accepted:
            writer.close()
        server.close()
        runner.run(server.wait_closed())


@pytest.mark.parametrize("server", [True], indirect=True, ids=["breaks off"])
def test_a_request_that_met_a_broken_connection_is_not_sent_anew(server: Server) -> None:
    """The test may be about exactly that. aiohttp would send it again, and so hide it."""
    server.close.set()

    async def scenario() -> None:
        shared = Connections(asyncio.get_running_loop(), None)
        client = Session(server.url, {}, 30.0, shared)
        try:
            assert (await client.request("GET", "/", {})).body == b"#0"
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await client.request("GET", "/", {})
        finally:
            client.close()
            await shared.close()

    asyncio.run(scenario())
