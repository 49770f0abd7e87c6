"""A response that is read as it comes: bytes, lines, or server-sent events.

Does no I/O itself (`session` does). `TestClient.stream` opens and closes it.

Invariants:
1. Every wait has a time limit, and the error when it expires says what the test waited for.
2. If the body breaks off, or something in it does not decode, the error shows what had come.
3. Leaving the block before the body has ended closes the connection.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Annotated, Any, Final, NoReturn, TypeVar, final, overload

from typing_extensions import TypeForm

from looprig.declare.values import check_values
from looprig.exceptions import LooprigError, UnexpectedResponseError
from looprig.http.checks import FORM, STATUS
from looprig.http.decode import Decoder, form_name
from looprig.http.headers import Headers
from looprig.http.open_blocks import NotEntered, OpenBlocks
from looprig.http.response import EXCERPT, Request, Response, decoded, ending, expect, sentence
from looprig.http.session import Pieces
from looprig.http.sse import EventParser, LineSplitter, ServerSentEvent
from looprig.runtime.clock import Timeout, now
from looprig.watch.leak_reports import LeftOpen

__all__ = ["Opening", "StreamedResponse"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_T = TypeVar("_T")

_KEPT: Final = 4 * EXCERPT
"""Number of bytes at the end of the body that are kept to be shown: a character may take four."""
_LINE: Final = Annotated[str, "as it was sent"]
_SHOWN_WITHIN: Final = 1.0
"""Seconds that the body of an unexpected response gets to arrive, so that the error can show it."""


@final
class StreamedResponse:
    """A response whose head has arrived. `TestClient.stream` opens and closes it.

    Its body is read once, in pieces, lines or events. What one iteration leaves is there for the next. Each wait has
    the time limit of the request. All raise aiohttp's `ClientError` if the connection breaks and `TimeoutError`.
    """

    def __init__(self, head: Response, pieces: Pieces, limit: float | None, decoder: Decoder) -> None:
        self._deadline: float | None = None
        self._decoder = decoder
        self._end = bytearray()
        self._events = 0
        self._head = head
        self._is_complete = False
        self._is_expected = False
        self._limit = limit
        self._lines = 0
        self._parser = EventParser()
        self._pieces = pieces
        self._size = 0
        self._unread = LineSplitter()

    @property
    def status(self) -> int:
        """The status of the response."""
        return self._head.status

    @property
    def reason(self) -> str:
        """The text after the status."""
        return self._head.reason

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return self._head.ok

    @property
    def headers(self) -> Headers:
        """The headers of the response."""
        return self._head.headers

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters. Empty if none was sent."""
        return self._head.content_type

    @property
    def method(self) -> str:
        """The method of the last request, after redirects."""
        return self._head.method

    @property
    def url(self) -> str:
        """The URL of the last request, after redirects."""
        return self._head.url

    @property
    def request(self) -> Request:
        """The request as it was sent."""
        return self._head.request

    async def expect(self, status: int | Collection[int]) -> None:
        """Check the status, as `status=` does. Raises `UnexpectedResponseError`, with the beginning of the body."""
        check_values("StreamedResponse.expect", [("status", status, STATUS)])
        await self._expect(status)

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """Iterate over the body, decompressed, in the pieces in which it arrives."""
        return StreamedItems(self._next(self._bytes))

    @overload
    def iter_lines(self) -> AsyncIterator[str]: ...
    @overload
    def iter_lines(self, *, into: TypeForm[_T]) -> AsyncIterator[_T]: ...
    def iter_lines(self, *, into: Any = _LINE) -> AsyncIterator[Any]:
        """Iterate over the lines, without their ends. With a type, decode the JSON in each that isn't empty.

        Raises `UnexpectedResponseError` if one does not decode or, with a type, if the status isn't 2xx.
        """
        check_values("StreamedResponse.iter_lines", [("into", into, FORM)])
        return StreamedItems(self._next(self._line if into is _LINE else partial(self._line_into, into)))

    @overload
    def iter_events(self) -> AsyncIterator[ServerSentEvent]: ...
    @overload
    def iter_events(self, *, into: TypeForm[_T]) -> AsyncIterator[_T]: ...
    def iter_events(self, *, into: Any = ServerSentEvent) -> AsyncIterator[Any]:
        """Iterate over the server-sent events. With a type, decode the JSON in the data of each.

        Raises `UnexpectedResponseError` if one does not decode, if the body ends within one, or if the response isn't
        a `text/event-stream` with a 2xx status.
        """
        check_values("StreamedResponse.iter_events", [("into", into, FORM)])
        return StreamedItems(self._next(partial(self._event, into)))

    async def read(self) -> bytes:
        """Wait for the end of the body, and return what has not been read yet."""
        return await self._next(self._rest)()

    def _next(self, item: Callable[[], Awaitable[_T]]) -> Callable[[], Awaitable[_T]]:
        """Return a function that waits for one item, within one limit for all the pieces that this takes."""

        def next_item() -> Awaitable[_T]:
            self._deadline = None
            return item()

        return next_item

    async def _bytes(self) -> bytes:
        if not self._unread:
            await self._arrives("the next bytes")
        return self._unread.take_all() or _end()

    async def _rest(self) -> bytes:
        while await self._arrives("the end of the body"):
            pass
        return self._unread.take_all()

    async def _line(self) -> str:
        line = await self._raw_line("a line")
        try:
            return line.decode(self._head.charset)
        except (UnicodeDecodeError, LookupError) as error:
            why = f"but a line of its body is not text in {self._head.charset}: {error}."
            raise self._unexpected(why) from None

    async def _line_into(self, into: Any) -> object:
        await self._expect_success()
        line = b""
        while not line.strip():
            line = await self._raw_line(f"a line with {form_name(into)}")
            self._lines += 1
        return self._decoded(line, into, f"line {self._lines}")

    async def _event(self, into: Any) -> object:
        await self._expect_success()
        if self.content_type != "text/event-stream":
            raise (await self._with_body()).unexpected("expected the content type text/event-stream.")
        awaited = "an event" if into is ServerSentEvent else f"an event with {form_name(into)}"
        while True:
            try:
                decode = partial(self._decoded_event, self._events + 1)
                event = self._parser.feed(await self._raw_line(awaited), decode)
            except StopAsyncIteration:
                if not self._parser.has_begun:
                    raise
                self._parser.has_begun = False
                why = "but its body ended within an event: the empty line after it is missing."
                raise self._unexpected(why) from None
            except UnicodeDecodeError as error:
                raise self._unexpected(f"but a line of its body is not UTF-8: {error}.") from None
            if event is not None:
                self._events += 1
                return event if into is ServerSentEvent else event.decode(into)

    async def _raw_line(self, awaited: str) -> bytes:
        while (line := self._unread.take()) is None:
            if not await self._arrives(awaited):
                return self._unread.take_all() or _end()
        return line

    async def _arrives(self, awaited: str) -> bool:
        """Wait until more of the body arrives, and return whether that happened before its end."""
        if self._is_complete:
            return False
        if self._pieces.is_closed:
            raise LooprigError(
                f"The stream of {self.method} {self.url} was closed at the end of its block, so {awaited} cannot come.",
                (),
                "Read it inside `async with api.stream(...) as response:`.",
            )
        if self._limit is not None and self._deadline is None:
            self._deadline = now() + self._limit
        clock = Timeout(None if self._deadline is None else max(self._deadline - now(), 0))
        try:
            async with clock:
                piece = await self._pieces.next(self._what_came)
        except TimeoutError:
            if not clock.expired():
                raise
            waited = f"{self.method} {self.url}: waited {self._limit:g} s for {awaited}."
            # The frames of aiohttp and asyncio say nothing about the response.
            raise TimeoutError("\n".join((waited, *self._shown()))) from None
        self._unread.feed(piece)
        self._end += piece
        self._size += len(piece)
        del self._end[:-_KEPT]
        self._is_complete = not piece
        return bool(piece)

    async def _expect_success(self) -> None:
        if not self._is_expected:
            await self._expect(range(200, 300))

    async def _expect(self, status: int | Collection[int]) -> None:
        head = self._head
        with suppress(UnexpectedResponseError):
            expect(head, status)
            self._is_expected = True
            return
        expect(await self._with_body(), status)

    def _decoded_event(self, number: int, data: str, into: object) -> object:
        return self._decoded(data.encode(), into, f"event {number}")

    def _decoded(self, data: bytes, into: Any, which: str) -> object:
        try:
            return decoded(data, into, self._decoder)
        except ValueError as error:
            why = f"but {which} does not decode into {form_name(into)}: {sentence(error)}"
            raise self._unexpected(why) from None  # `why` includes the text of the cause

    async def _with_body(self) -> Response:
        """Return the response with as much of its body as an error shows, if that comes soon."""
        body = self._unread.take_all() + await self._pieces.some(EXCERPT, _SHOWN_WITHIN)
        return dataclasses.replace(self._head, body=body)

    def _unexpected(self, why: str) -> UnexpectedResponseError:
        return UnexpectedResponseError("\n".join((self._head.unexpected(why).what, *self._shown())))

    def _what_came(self) -> str:
        return "\n".join((f"The request was {self.request.method} {self.request.url}.", *self._shown()))

    def _shown(self) -> Iterator[str]:
        if not self._size:
            yield "Nothing of its body had come."
            return
        parts = [_counted(self._size, "byte"), _counted(self._events, "event"), _counted(self._lines, "line")]
        yield f"{', '.join(filter(None, parts))} of its body had come:"
        yield from ending(bytes(self._end), self._size)

    def __repr__(self) -> str:
        return f"<StreamedResponse {self.status} of {self.request.method} {self.request.url}>"


@final
class StreamedItems(AsyncIterator[_T]):
    """An iterator that calls `next_item` for each item."""

    # A class, since an async generator that a test leaves early would be left open.
    def __init__(self, next_item: Callable[[], Awaitable[_T]]) -> None:
        self._next_item: Final = next_item

    def __anext__(self) -> Awaitable[_T]:
        return self._next_item()


@final
class Opening(NotEntered):
    """A block in which a response is read as it comes. `ask` returns the head and the body of the response."""

    example = "async with api.stream(...) as response:"

    # A class, since the frames of a decorated generator would be in the traceback of every error in the block.
    def __init__(
        self,
        ask: Callable[[], Awaitable[tuple[Response, Pieces]]],
        status: int | Collection[int] | None,
        limit: float | None,
        decoder: Decoder,
        *,
        blocks: OpenBlocks,
        shown: LeftOpen,
    ) -> None:
        self._ask: Final = ask
        self._blocks: Final = blocks
        self._decoder: Final = decoder
        self._limit: Final = limit
        self.shown = shown
        self._status: Final = status

    async def __aenter__(self) -> StreamedResponse:
        head, pieces = await self._ask()
        response = StreamedResponse(head, pieces, self._limit, self._decoder)
        if self._status is not None:
            try:
                await response.expect(self._status)
            except BaseException:
                pieces.close()
                raise
        self._pieces = pieces
        self._blocks.enter(self, self.shown, pieces.close)
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._blocks.leave(self)
        self._pieces.close()
        await asyncio.sleep(0)  # so that the connection is closed when the block is left


def _counted(number: int, word: str) -> str:
    return "" if number == 0 else f"{number} {word}" if number == 1 else f"{number} {word}s"


def _end() -> NoReturn:
    raise StopAsyncIteration
