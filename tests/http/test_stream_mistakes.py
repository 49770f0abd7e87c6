"""Mistakes with streams, and what their errors say: each once, in words that a user knows."""

import pytest

from looprig.exceptions import UnexpectedResponseError
from looprig.http import TestClient
from tests.http.feed import Feed
from tests.http.test_stream import ask
from tests.running import Run, run

__all__ = ["run"]


def test_an_unexpected_status_is_one_error(run: Run) -> None:
    """Not two, of which the first one lacks the body."""

    async def asks(api: TestClient[Feed]) -> None:
        with pytest.raises(UnexpectedResponseError, match="< the body") as caught:
            async with api.stream("GET", "/feed", status=404):
                raise AssertionError
        assert caught.value.__context__ is None
        async with api.stream("GET", "/feed") as response:
            with pytest.raises(UnexpectedResponseError) as caught:
                await response.expect(500)
        assert caught.value.__context__ is None

    ask(run, b"the body", asks=asks)


def test_a_block_that_was_not_entered_says_how_to_enter_it(run: Run) -> None:
    async def asks(api: TestClient[Feed]) -> None:
        stream, websocket = api.stream("GET", "/feed"), api.ws("/chat")
        how = r"since it isn't open yet\. Open it: async with api\.stream\(\.\.\.\) as response:"
        with pytest.raises(AttributeError, match=f"^The stream GET /feed has no status, {how}$"):
            _ = stream.status  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match=r"^The websocket /chat can't be awaited\. Open it: async with api\.ws"):
            await websocket  # type: ignore[misc]
        opened = "^The stream GET /feed can't be opened by `with`\\. Open it: async with api\\.stream"
        with pytest.raises(TypeError, match=opened), stream:  # type: ignore[attr-defined]
            raise AssertionError

    ask(run, asks=asks)


def test_items_are_not_named_by_a_private_class(run: Run) -> None:
    async def asks(api: TestClient[Feed]) -> None:
        async with api.stream("GET", "/feed") as response:
            with pytest.raises(TypeError, match="'StreamedItems' object is not iterable"):
                list(response.iter_lines())  # type: ignore[call-overload]

    ask(run, b"", asks=asks)
