"""Websockets over a real socket: typed messages, limits, and errors at a close."""

import asyncio

import pytest

from looprig.exceptions import LooprigError, UnexpectedResponseError
from looprig.http import TestClient
from tests.http.shop import Shop, User
from tests.http.test_client import Point, ask


def test_messages_go_out_and_come_back_typed() -> None:
    """Unchanged if there is no type; decoded from JSON, text or binary, if there is one."""

    async def asks(api: TestClient[Shop]) -> None:
        async with api.ws("/ws/echo", protocols=["chat"]) as socket:
            assert socket.subprotocol == "chat"
            await socket.send("text")
            assert await socket.receive() == "text"
            await socket.send(b"bytes")
            assert await socket.receive() == b"bytes"
            await socket.send_json(User(1, "ann"))
            assert await socket.receive(into=User) == User(1, "ann")
            await socket.send(b'{"x":1}')
            assert await socket.receive(into=Point | None) == Point(1)
            await socket.send("text")
            assert await socket.receive_text() == "text"
            await socket.send(b"bytes")
            assert await socket.receive_bytes() == b"bytes"
            assert socket.close_code is None
            assert socket.close_reason == ""

    ask(asks)


def test_a_message_of_another_kind_is_told() -> None:
    """Text instead of bytes, bytes instead of text, and JSON that doesn't match."""

    async def asks(api: TestClient[Shop]) -> None:
        async with api.ws("/ws/echo") as socket:
            for message in ("text", b"bytes", '{"id":"1","name":"ann"}'):
                await socket.send(message)
            with pytest.raises(UnexpectedResponseError, match="sent text, but a binary message was expected"):
                await socket.receive_bytes()
            with pytest.raises(UnexpectedResponseError, match="sent a binary message, but text was expected"):
                await socket.receive_text()
            with pytest.raises(UnexpectedResponseError) as raised:
                await socket.receive(into=User)
            assert str(raised.value) == (
                f"{api.url}/ws/echo sent a message that does not decode into User: "
                "Expected `int`, got `str` - at `$.id`\n"
                """  < '{"id":"1","name":"ann"}'"""
            )

    ask(asks)


def test_a_close_by_the_service_shows_code_and_reason() -> None:
    """Both when it is expected and when a message was; and again at the next call."""

    async def asks(api: TestClient[Shop]) -> None:
        async with api.ws("/ws/close") as socket:
            assert await socket.wait_closed() == 1013
            assert (socket.close_code, socket.close_reason) == (1013, "come back later")
        async with api.ws("/ws/close") as socket:
            told = r"/ws/close closed with code 1013 \(come back later\) while a message of User was awaited"
            for _ in range(2):
                with pytest.raises(UnexpectedResponseError, match=told):
                    await socket.receive(into=User)

    ask(asks)


def test_a_message_where_a_close_was_expected_is_told() -> None:
    """`wait_closed` doesn't swallow messages."""

    async def asks(api: TestClient[Shop]) -> None:
        async with api.ws("/ws/echo") as socket:
            await socket.send("text")
            with pytest.raises(UnexpectedResponseError, match="sent a message, but it was expected to close"):
                await socket.wait_closed()

    ask(asks)


def test_a_connection_that_is_lost_has_code_1006() -> None:
    """RFC 6455, section 7.4.1: it is never sent, and means a close without a close frame."""

    async def asks(api: TestClient[Shop]) -> None:
        async with api.ws("/ws/drop") as socket:
            assert await socket.wait_closed() == 1006

    ask(asks)


def test_every_wait_has_a_limit_that_says_what_for() -> None:
    """The client's or the websocket's."""

    async def asks(api: TestClient[Shop]) -> None:
        async with api.ws("/ws/hang", timeout=20.0) as socket:
            assert socket._timeout == 20.0
            socket._timeout = 0.05  # not for the handshake, which may take longer on a busy machine
            with pytest.raises(TimeoutError, match=r"/ws/hang: waited 0\.05 s for a text message\."):
                await socket.receive_text()
            socket._timeout = 20.0

    ask(asks)


def test_a_handshake_that_is_refused_shows_the_status() -> None:
    """For a path that isn't a websocket, and for one that doesn't exist."""

    async def asks(api: TestClient[Shop]) -> None:
        for path, status in (("/users", 200), ("/nothing", 404)):
            with pytest.raises(UnexpectedResponseError, match=f"{path} answered {status} "):
                async with api.ws(path):
                    pass

    ask(asks)


def test_closing_from_this_side_ends_the_services_loop() -> None:
    """Closing twice has no further effect; leaving the block closes too."""

    async def asks(api: TestClient[Shop]) -> None:
        async with api.ws("/ws/echo") as socket:
            await socket.close(code=1001, reason="gone")
            await socket.close()
            assert socket.close_code == 1000  # of the frame that answers
            with pytest.raises(LooprigError, match="was closed from this side, so a message cannot arrive"):
                await socket.receive()

    ask(asks)


def test_an_error_in_the_block_is_not_hidden_by_the_close() -> None:
    """The test's own error is raised."""

    async def asks(api: TestClient[Shop]) -> None:
        with pytest.raises(ZeroDivisionError):
            async with api.ws("/ws/hang"):
                raise ZeroDivisionError

    ask(asks)


def test_a_limit_of_the_test_itself_is_left_alone() -> None:
    """A shorter `asyncio.timeout` around a wait isn't mistaken for the websocket's limit."""

    async def asks(api: TestClient[Shop]) -> None:
        async with api.ws("/ws/hang") as socket:
            with pytest.raises(TimeoutError, match=r"^$"):
                async with asyncio.timeout(0.01):
                    await socket.receive()

    ask(asks)


def test_a_service_that_does_not_answer_a_close_hides_no_error() -> None:
    async def asks(api: TestClient[Shop]) -> None:
        with pytest.raises(ValueError, match="the test's own"):
            async with api.ws("/ws/deaf", timeout=0.05):
                raise ValueError("the test's own")
        with pytest.raises(TimeoutError, match="to close"):
            async with api.ws("/ws/deaf", timeout=0.05):
                pass

    ask(asks)
