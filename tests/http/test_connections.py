"""Clients of one service share its connections, and nothing else. A lost connection isn't used again."""

import pytest

from tests.plugin.suite import run

HEAD = """
import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from looprig import AiohttpService, TestClient, service_fixture

@service_fixture(scope="module")
@dataclass(kw_only=True)
class Rest(AiohttpService):
    async def create_app(self) -> web.Application:
        async def port(request: web.Request) -> web.Response:
            answer = web.json_response(request.transport.get_extra_info("peername")[1])
            answer.set_cookie("seen", "yes")
            return answer

        async def cookies(request: web.Request) -> web.Response:
            return web.json_response(dict(request.cookies))

        app = web.Application()
        app.router.add_get("/port", port)
        app.router.add_get("/cookies", cookies)
        return app

ports = set()
"""


def test_tests_share_a_connection_and_no_cookies(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.mark.parametrize("number", range(5))
async def test_asks(api: TestClient[Rest], number: int) -> None:
    assert await api.get("/cookies", into=dict[str, str]) == {}
    ports.add(await api.get("/port", into=int))
    assert await api.get("/cookies", into=dict[str, str]) == {"seen": "yes"} == dict(api.cookies)

def test_one() -> None:
    assert len(ports) == 1

async def test_two_clients_at_once(api: TestClient[Rest], other: TestClient[Rest]) -> None:
    await api.get("/port", status=200)
    assert not other.cookies

@pytest.fixture
def known(api: TestClient[Rest]) -> TestClient[Rest]:
    api.cookies["seen"] = "before"
    return api

async def test_a_sync_fixture_sets_a_cookie(known: TestClient[Rest]) -> None:
    assert await known.get("/cookies", into=dict[str, str]) == {"seen": "before"}
""",
    ).assert_outcomes(passed=8)


def test_clients_that_left_no_trace_hand_their_session_on(pytester: pytest.Pytester) -> None:
    """A session that got cookies, or whose request is still running, is not handed on."""
    run(
        pytester,
        HEAD
        + """
sessions = []

def note(api: TestClient[Rest]) -> None:
    sessions.append(api._session._session)

@pytest.mark.parametrize("number", range(3))
async def test_asks(api: TestClient[Rest], number: int) -> None:
    note(api)
    assert await api.get("/cookies", into=dict[str, str]) == {}

def test_one() -> None:
    assert len(set(map(id, sessions))) == 1

async def test_two_at_once_have_two(api: TestClient[Rest], other: TestClient[Rest]) -> None:
    assert api._session._session is not other._session._session

@pytest.mark.parametrize("number", range(2))
async def test_leaves_a_request(api: TestClient[Rest], number: int) -> None:
    assert api._session._session not in sessions[3:]
    note(api)
    api.left = asyncio.create_task(api.get("/port"))
    await asyncio.sleep(0)

async def test_gets_cookies(api: TestClient[Rest]) -> None:
    assert api._session._session not in sessions[3:]
    note(api)
    await api.get("/port", status=200)

async def test_gets_none_of_them(api: TestClient[Rest]) -> None:
    assert api._session._session not in sessions[3:]
    assert await api.get("/cookies", into=dict[str, str]) == {} == dict(api.cookies)
""",
    ).assert_outcomes(passed=9)


def test_they_are_closed_before_the_service_stops(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@service_fixture(scope="class")
class Counted:
    connections = 0

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.url = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        self.gone = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        Counted.connections += 1
        while await reader.readline():
            while await reader.readline() != b"\\r\\n": ...
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\n1")
        writer.close()
        self.gone.set()

    async def stop(self) -> None:
        await asyncio.wait_for(self.gone.wait(), 0.5)  # sooner than idle ones are closed
        self.server.close()

class TestIt:
    async def test_one(self, api: TestClient[Counted]) -> None:
        assert await api.get("/", into=int) == 1

    async def test_two(self, api: TestClient[Counted]) -> None:
        assert await api.get("/", into=int) == 1

def test_was_one() -> None:
    assert Counted.connections == 1
""",
    ).assert_outcomes(passed=3)


def test_one_that_the_service_closed_meanwhile_is_not_used(pytester: pytest.Pytester) -> None:
    """The loop doesn't run between tests, so it doesn't notice. A POST isn't sent twice."""
    run(
        pytester,
        HEAD
        + """
import socket
import threading
import time

@service_fixture(scope="module")
class Rude:
    '''Closes each connection once it has answered, and does not say so.'''

    async def start(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        for _ in range(20):
            connection, _ = self.socket.accept()
            with connection:
                data = b""
                while not data.endswith(b"\\r\\n\\r\\n"):
                    data += connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\n1")

    async def stop(self) -> None:
        self.thread.join()
        self.socket.close()

@pytest.fixture
def pause() -> None:
    time.sleep(0.05)

@pytest.mark.parametrize("number", range(20))
async def test_posts(pause: None, api: TestClient[Rude], number: int) -> None:
    assert await api.post("/", into=int) == 1
""",
    ).assert_outcomes(passed=20)


def test_their_number_has_no_limit(pytester: pytest.Pytester) -> None:
    """The service answers none of the requests before all have come."""
    run(
        pytester,
        """
import asyncio
from dataclasses import dataclass, field

from aiohttp import web
from looprig import AiohttpService, TestClient, service_fixture

MANY = 150

@service_fixture
@dataclass(kw_only=True)
class Rest(AiohttpService):
    barrier: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(MANY), init=False)

    async def create_app(self) -> web.Application:
        async def meet(request: web.Request) -> web.Response:
            await self.barrier.wait()
            return web.Response()

        app = web.Application()
        app.router.add_get("/", meet)
        return app

async def test_all_at_once(api: TestClient[Rest]) -> None:
    await asyncio.gather(*(api.get("/", status=200, timeout=20) for _ in range(MANY)))

async def test_one_of_its_own(rest: Rest) -> None:
    async with TestClient(rest, timeout=20) as api:
        await asyncio.gather(*(api.get("/", status=200) for _ in range(MANY)))
""",
    ).assert_outcomes(passed=2)
