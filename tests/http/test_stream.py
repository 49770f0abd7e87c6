"""Responses that are read as they come: bytes, lines, events, and what an error shows of them."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from looprig.exceptions import DeclarationError, LooprigError, UnexpectedResponseError
from looprig.http import ServerSentEvent, TestClient
from tests.http.feed import Feed
from tests.running import Run, run, running

__all__ = ["run"]


Asks = Callable[[TestClient[Feed]], Awaitable[None]]


@dataclass
class Tick:
    """The data of an event."""

    n: int


def ask(run: Run, *script: bytes | str, asks: Asks, timeout: float = 30.0, **headers: str) -> None:
    async def scenario() -> None:
        feed = Feed(script=script, headers={name.replace("_", "-"): value for name, value in headers.items()})
        async with running(feed), TestClient(feed, timeout=timeout) as api:
            await asks(api)

    run(scenario())


def ask_events(run: Run, *script: bytes | str, asks: Asks, timeout: float = 30.0) -> None:
    ask(run, *script, asks=asks, timeout=timeout, Content_Type="text/event-stream; charset=utf-8")


def test_the_head_and_each_piece_are_there_before_the_body_has_ended(run: Run) -> None:
    """The service goes on only after the test has seen what came before."""

    async def asks(api: TestClient[Feed]) -> None:
        async with api.stream("GET", "/feed", status=200) as response:
            assert (response.status, response.ok, response.reason, response.headers["x-a"]) == (200, True, "OK", "b")
            pieces = response.iter_bytes()
            assert await anext(pieces) == b"first"
            api.service.go_on.set()
            assert await response.read() == b"second"
            assert [piece async for piece in pieces] == []
            assert await response.read() == b""

    ask(run, b"first", "wait", b"second", asks=asks, X_A="b")


def test_leaving_early_ends_the_handler_and_a_body_read_to_its_end_keeps_the_connection(run: Run) -> None:
    async def asks(api: TestClient[Feed]) -> None:
        port = await api.get("/port", into=int)
        async with api.stream("GET", "/feed") as response:
            assert await anext(response.iter_lines()) == "endless"
        await api.service.ended.wait()
        other = await api.get("/port", into=int)
        assert other != port
        api.service.go_on.set()
        async with api.stream("GET", "/moved") as response:
            assert response.url.endswith("/feed")
            assert response.request.url.endswith("/moved")
            await response.read()
        assert await api.get("/port", into=int) == other

    ask(run, b"endless\n", "wait", asks=asks)


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        pytest.param([b"a\nb\r\nc\rd"], ["a", "b", "c", "d"], id="three kinds of ends, and none"),
        pytest.param([b"a\r", b"\nb\n"], ["a", "b"], id="an end cut in two"),
        pytest.param([b"a\r", b"", b"b\n\n"], ["a", "b", ""], id="a lone CR at the end of a piece"),
        pytest.param(["\u2028\x85\x0b\x1e".encode(), b"\n"], ["\u2028\x85\x0b\x1e"], id="no ends of lines"),
        pytest.param(["é".encode()[:1], "é".encode()[1:] + b"\n"], ["é"], id="a character cut in two"),
    ],
)
def test_lines(run: Run, script: list[bytes], lines: list[str]) -> None:
    async def asks(api: TestClient[Feed]) -> None:
        async with api.stream("GET", "/feed") as response:
            assert [line async for line in response.iter_lines()] == lines

    ask(run, *script, asks=asks)


def test_what_one_iteration_leaves_is_there_for_the_next(run: Run) -> None:
    async def asks(api: TestClient[Feed]) -> None:
        async with api.stream("POST", "/feed", json={}) as response:
            async for line in response.iter_lines():
                assert line == "one"
                break
            assert await anext(response.iter_lines(into=Tick)) == Tick(2)
            assert await anext(response.iter_bytes()) == b"\r\nrest"

    ask(run, b'one\r\n\r\n{"n": 2}\n\r\nrest', asks=asks)


def test_events_follow_the_standard(run: Run) -> None:
    script = (
        b"\xef\xbb\xbfdata: 1\n\n: a comment\n\nid: 7\nretry: 1500\n\n",
        b"event: tick\ndata: a\r\ndata\rdata:  b\n",
        b"unknown: x\nid: \0\nretry: soon\n\nevent: no data\n\ndata: last\n\n: the end",
    )
    expected = [
        ServerSentEvent("1"),
        ServerSentEvent("a\n\n b", "tick", "7", 1.5),
        ServerSentEvent("last", "message", "7", 1.5),
    ]

    async def asks(api: TestClient[Feed]) -> None:
        async with api.stream("GET", "/feed", status=200) as response:
            assert [event async for event in response.iter_events()] == expected

    ask_events(run, *script, asks=asks)


def test_events_are_decoded_all_or_one_by_one(run: Run) -> None:
    """A stream may mix types, or end with a word, as many that send JSON do."""

    async def asks(api: TestClient[Feed]) -> None:
        async with api.stream("GET", "/feed") as response:
            assert await anext(response.iter_events(into=Tick)) == Tick(1)
            event = await anext(response.iter_events())
            assert event.decode(Tick | None) == Tick(2)
            event = await anext(response.iter_events())
            with pytest.raises(UnexpectedResponseError, match=r"but event 3 does not decode into Tick: "):
                event.decode(Tick)
        assert ServerSentEvent('{"n": 4}').decode(Tick) == Tick(4)

    ask_events(run, b'data: {"n": 1}\n\ndata: {"n": 2}\n\ndata: [DONE]\n\n', asks=asks)


def error_of(run: Run, *script: bytes | str, of: Asks, headers: dict[str, str], timeout: float = 30.0) -> str:
    """Return the type and text of the error that ends a scenario, with its notes."""
    found: list[BaseException] = []

    async def asks(api: TestClient[Feed]) -> None:
        try:
            await of(api)
        except Exception as error:  # noqa: BLE001 - the tests look at it
            found.append(error)

    ask(run, *script, asks=asks, timeout=timeout, **headers)
    [error] = found
    text = "\n".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))
    assert error.__context__ is None or error.__suppress_context__, "what aiohttp and asyncio did explains nothing"
    return re.sub(r"http://[^/]+", "", text).replace("GET /feed answered 200 OK, ", "...")


async def ticks(api: TestClient[Feed]) -> None:
    async with api.stream("GET", "/feed") as response:
        async for _ in response.iter_events(into=Tick):
            pass


ONE_TICK = b'data: {"n": 1}\n\n'
EVENT_STREAM = {"Content-Type": "text/event-stream"}


@pytest.mark.parametrize(
    ("script", "headers", "expected"),
    [
        pytest.param(
            [ONE_TICK, b'data: {"n": "2"}\n\n'],
            EVENT_STREAM,
            """\
UnexpectedResponseError: ...but event 2 does not decode into Tick: Expected `int`, got `str` - at `$.n`.
  < Content-Type: text/event-stream
  < Transfer-Encoding: chunked
34 bytes, 2 events of its body had come:
  < data: {"n": 1}
  <
  < data: {"n": "2"}
  <""",
            id="an event does not decode",
        ),
        pytest.param(
            [ONE_TICK, b"data: {"],
            EVENT_STREAM,
            """\
UnexpectedResponseError: ...but its body ended within an event: the empty line after it is missing.
  < Content-Type: text/event-stream
  < Transfer-Encoding: chunked
23 bytes, 1 event of its body had come:
  < data: {"n": 1}
  <
  < data: {""",
            id="the end is missing",
        ),
        pytest.param(
            [ONE_TICK, b"data: \xff\n\n"],
            EVENT_STREAM,
            """\
UnexpectedResponseError: ...but a line of its body is not UTF-8: 'utf-8' codec can't decode byte 0xff in position 6: invalid start byte.
  < Content-Type: text/event-stream
  < Transfer-Encoding: chunked
25 bytes, 1 event of its body had come:
  < b'data: {"n": 1}\\n\\ndata: \\xff\\n\\n'""",  # noqa: E501 - the text of Python's own error
            id="not text",
        ),
        pytest.param(
            [b'{"n": 1}'],
            {"Content-Type": "application/json"},
            """\
UnexpectedResponseError: ...expected the content type text/event-stream.
  < Content-Type: application/json
  < Transfer-Encoding: chunked
  < {"n": 1}""",
            id="not a stream of events",
        ),
        pytest.param(
            [ONE_TICK, "wait"],
            EVENT_STREAM,
            """\
TimeoutError: GET /feed: waited 0.2 s for an event with Tick.
16 bytes, 1 event of its body had come:
  < data: {"n": 1}
  <""",
            id="nothing comes",
        ),
    ],
)
def test_an_error_shows_what_had_come(
    run: Run, script: list[bytes | str], headers: dict[str, str], expected: str
) -> None:
    assert error_of(run, *script, of=ticks, headers=headers, timeout=0.2) == expected


def test_pings_are_no_events(run: Run) -> None:
    """A service that is alive but sends no event does not keep the test waiting."""
    text = error_of(run, ONE_TICK, "ping", of=ticks, headers=EVENT_STREAM, timeout=0.2)
    assert "waited 0.2 s for an event with Tick" in text
    assert text.endswith("  < : ping")


def test_a_broken_connection_shows_what_had_come(run: Run) -> None:
    """Each way to read says so; the end of a long body is shown, and its length."""

    async def lines(api: TestClient[Feed]) -> None:
        async with api.stream("GET", "/feed") as response:
            async for _ in response.iter_lines(into=int):
                pass

    async def whole(api: TestClient[Feed]) -> None:
        async with api.stream("GET", "/feed") as response:
            await response.read()

    async def pieces(api: TestClient[Feed]) -> None:
        async with api.stream("GET", "/feed") as response:
            async for _ in response.iter_bytes():
                pass

    script = (b"\n".join(b"%d" % number for number in range(10_000)), "abort")
    for way, count in ((lines, "48889 bytes, 9999 lines"), (whole, "48889 bytes"), (pieces, "48889 bytes")):
        text = error_of(run, *script, of=way, headers={})
        assert text.startswith("ClientPayloadError: ")
        assert f"The request was GET /feed.\n{count} of its body had come:\n  < (46889 bytes before) ...\n" in text
        assert text.endswith("  < 9998\n  < 9999")


def test_a_connection_that_broke_at_once_says_so(run: Run) -> None:
    text = error_of(run, "abort", of=ticks, headers=EVENT_STREAM)
    assert text.endswith("The request was GET /feed.\nNothing of its body had come.")


def test_the_status_is_checked_and_the_beginning_of_the_body_shown(run: Run) -> None:
    """With `into` it must be 2xx, unless another was expected, as for the verbs. An endless body is cut off."""

    async def asks(api: TestClient[Feed]) -> None:
        with pytest.raises(
            UnexpectedResponseError, match=r"answered 500 Internal Server Error, expected 200\."
        ) as caught:
            async with api.stream("GET", "/feed", params={"status": 500}, status=200):
                raise AssertionError("it was not checked")
        assert str(caught.value).endswith("  < oh no")
        async with api.stream("GET", "/feed", params={"status": 500}) as response:
            with pytest.raises(UnexpectedResponseError, match=r"expected 200 to 299\."):
                await anext(response.iter_lines(into=str))
        async with api.stream("GET", "/feed", params={"status": 500}, status={200, 500}) as response:
            assert await anext(response.iter_lines()) == "oh no"
            with pytest.raises(UnexpectedResponseError, match=r"expected 200\."):
                await response.expect(200)
        async with api.stream("GET", "/feed", params={"status": 500}) as response:
            with pytest.raises(UnexpectedResponseError, match=r"expected the content type|expected 200 to 299\."):
                await anext(response.iter_events())

    ask(run, b"oh no\n", "wait", asks=asks)


def test_wrong_arguments_and_reading_too_late_are_errors(run: Run) -> None:
    async def asks(api: TestClient[Feed]) -> None:
        with pytest.raises(DeclarationError, match=r"TestClient\.stream takes no into") as caught:
            api.stream("GET", "/feed", into=Tick)  # type: ignore[call-arg]
        assert "Pass into= to what reads the body, such as response.iter_events(into=...). It takes status," in str(
            caught.value
        )
        with pytest.raises(DeclarationError, match="status must be"):
            api.stream("GET", "/feed", status="200")  # type: ignore[arg-type]
        with pytest.raises(DeclarationError, match="but sends only to"):
            api.stream("GET", "http://elsewhere.test/feed")
        async with api.stream("GET", "/feed") as response:
            with pytest.raises(DeclarationError, match="into must be a type"):
                response.iter_lines(into=Tick(1))  # type: ignore[call-overload]
            with pytest.raises(LooprigError, match="JSON cannot be decoded into"):
                await anext(response.iter_lines(into=list[int] | set[int]))
            await anext(response.iter_bytes())
        with pytest.raises(LooprigError, match="was closed at the end of its block, so a line cannot come"):
            await anext(response.iter_lines())
        assert repr(response).startswith("<StreamedResponse 200 of GET http://")

    ask(run, b"1\n2\n", "wait", asks=asks)


def test_an_error_of_the_block_is_not_replaced(run: Run) -> None:
    async def asks(api: TestClient[Feed]) -> None:
        with pytest.raises(ZeroDivisionError):
            async with api.stream("GET", "/feed"):
                _ = 1 / 0
        await api.service.ended.wait()

    ask(run, b"a", "wait", asks=asks)


def test_no_response_in_time(run: Run) -> None:
    async def asks(api: TestClient[Feed]) -> None:
        with pytest.raises(TimeoutError, match=r"GET http://.*/hang: no response within 0\.1 s\."):
            async with api.stream("GET", "/hang", timeout=0.1):
                raise AssertionError("it was not limited")

    ask(run, asks=asks)
