"""A connection that the service closed while the loop stood still, between two tests, is not used again."""

import asyncio
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import aiohttp
import pytest

from looprig.http import connections
from looprig.http.connections import Connections
from looprig.http.session import Session

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class Server(NamedTuple):
    """Where it listens; what has it close its first connection, and what it sets then."""

    url: str
    close: threading.Event
    closed: threading.Event


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """In a thread of its own: it answers one request on each of two connections, and closes the first when told to.

    With a true parameter it does so once it has got one more request, which it does not answer.
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
                    connection.recv(1 << 16)  # and so ends

    def serve() -> None:
        for body in (b"#0", b"#1"):
            with suppress(OSError):  # shut down, since nobody came
                answer(listening.accept()[0], body)
            closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Server(f"http://127.0.0.1:{listening.getsockname()[1]}", close, closed)
        close.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_new_client_does_not_ask_over_it(server: Server, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new_loop = pytest.importorskip(kind).new_event_loop
    monkeypatch.setattr(connections, "_STILL", -1.0)  # no service is that fast, but the test is not to wait for it
    with asyncio.Runner(loop_factory=new_loop) as runner:
        shared = Connections(runner.get_loop(), None)

        def ask() -> bytes:
            client = Session(server.url, {}, 30.0, shared)
            try:
                return runner.run(client.request("GET", "/", {})).body
            finally:
                client.close()

        assert ask() == b"#0"
        server.close.set()
        assert server.closed.wait(60)
        ((idle, _),) = next(iter(vars(shared.connector)["_conns"].values()))
        assert select.select([idle.transport.get_extra_info("socket").fileno()], [], [], 60)[0], "its end has come"
        assert ask() == b"#1"
        runner.run(shared.close())


@pytest.mark.parametrize("server", [True], indirect=True, ids=["breaks off"])
def test_a_request_that_met_a_broken_connection_is_not_sent_anew(server: Server) -> None:
    """What the test is about may be just that; aiohttp by itself would ask once more, and hide it."""
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
