"""A websocket of a test: typed messages, a limit on every wait, and a close that is told.

Does not reconnect, and does not answer pings: aiohttp does the latter by itself. `TestClient.ws` opens one.

Invariants:
1. No wait is without a limit, and one that ran out says what was waited for.
2. When the other side closes while a message is awaited, the error has its code and reason.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol, cast, final

from typing_extensions import TypeForm, TypeVar

from looprig.exceptions import LooprigError, UnexpectedResponseError
from looprig.http.decode import DEFAULT_DECODER, Decoder, encode_json, form_name
from looprig.runtime.clock import Timeout

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Connection", "WebSocket", "within"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_MessageT = TypeVar("_MessageT", default=str | bytes)

_RAW: Final = str | bytes
"""What `receive` gives when it is not told a type: the message as it came."""


_LOST: Final = 1006
"""The code that stands for a connection without a close frame (RFC 6455, section 7.4.1); it is never sent."""


class Connection(Protocol):
    """What is used of `aiohttp.ClientWebSocketResponse`, which is generic in some versions and not in others."""

    @property
    def protocol(self) -> str | None:
        """The subprotocol agreed on."""
        ...

    @property
    def close_code(self) -> int | None:
        """The code of the close frame that came, if one did."""
        ...

    async def send_str(self, data: str) -> None:
        """Send a text message."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        ...

    async def receive(self) -> "aiohttp.WSMessage":
        """Wait for the next message, a close among them."""
        ...

    async def close(self, *, code: int = ..., message: bytes = ...) -> bool:
        """Send a close frame, and wait for the answer to it."""
        ...


@final
class WebSocket:
    """An open websocket. Made by `TestClient.ws`, which also closes it.

    `timeout` is in seconds and limits every wait on it.
    """

    def __init__(self, connection: Connection, url: str, *, timeout: float, decoder: Decoder = DEFAULT_DECODER) -> None:
        self._connection = connection
        self._decoder = decoder
        self._open = True
        self._timeout = timeout
        self._close: tuple[int, str] | None = None
        self.url: Final = url

    @property
    def subprotocol(self) -> str | None:
        """The protocol that client and service agreed on."""
        return self._connection.protocol

    @property
    def close_code(self) -> int | None:
        """The code of the service's close frame (RFC 6455, section 7.4), or None while it is open.

        Also where this side closed first: the service answers with a close frame of its own. 1006 stands for a
        connection that was lost without one.
        """
        return self._close[0] if self._close else None

    @property
    def close_reason(self) -> str:
        """The reason the service gave with its close; empty while there is none."""
        return self._close[1] if self._close else ""

    async def send(self, message: str | bytes) -> None:
        """Send a text or a binary message."""
        async with self._limit("to send a message"):
            if isinstance(message, str):
                await self._connection.send_str(message)
            else:
                await self._connection.send_bytes(message)

    async def send_json(self, value: object) -> None:
        """Send a value as JSON in a text message: plain data, Structs, dataclasses, pydantic models."""
        await self.send(encode_json(value).decode())

    async def receive(
        self,
        *,
        into: TypeForm[_MessageT] = _RAW,  # type: ignore[assignment]  # PEP 696: T is str | bytes with no into=
    ) -> _MessageT:
        """Wait for the next message and decode its JSON into a type; with no type, give it as it came.

        Raises `UnexpectedResponseError` where it does not decode or the service closes first, and `TimeoutError`.
        """
        form = cast("object", into)
        message = await self._receive("a message" if form is _RAW else f"a message of {form_name(form)}")
        if form is _RAW:
            return cast("_MessageT", message)
        try:
            return self._decoder.decode(message.encode() if isinstance(message, str) else message, into)
        except ValueError as error:
            raise UnexpectedResponseError(
                f"{self.url} sent a message that does not decode into {form_name(into)}: {error}\n  < {message!r}"
            ) from error

    async def receive_text(self) -> str:
        """Wait for the next message, which must be text."""
        message = await self._receive("a text message")
        if isinstance(message, str):
            return message
        raise UnexpectedResponseError(f"{self.url} sent a binary message where text was expected.\n  < {message!r}")

    async def receive_bytes(self) -> bytes:
        """Wait for the next message, which must be binary."""
        message = await self._receive("a binary message")
        if isinstance(message, bytes):
            return message
        raise UnexpectedResponseError(f"{self.url} sent text where a binary message was expected.\n  < {message!r}")

    async def wait_closed(self) -> int:
        """Wait until the service closes, and give its code. A message that comes first is an error."""
        message = await self._next("the service to close")
        if message is not None:
            raise UnexpectedResponseError(f"{self.url} sent a message where it was expected to close.\n  < {message!r}")
        return cast("tuple[int, str]", self._close)[0]

    async def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Close from this side. Closing twice is the same as closing once."""
        async with self._limit("to close"):
            await self._connection.close(code=code, message=reason.encode())
        self._close = self._close or (self._connection.close_code or _LOST, "")
        self._open = False

    async def _receive(self, awaited: str) -> str | bytes:
        message = await self._next(awaited)
        if message is not None:
            return message
        if not self._open:
            raise LooprigError(f"{self.url} was closed from this side, so {awaited} cannot come.")
        raise UnexpectedResponseError(
            f"{self.url} closed with code {self.close_code}"
            f"{f' ({self.close_reason})' if self.close_reason else ''} while {awaited} was awaited."
        )

    async def _next(self, awaited: str) -> str | bytes | None:
        """Give the next data message, or None when the connection is closed."""
        if self._close is not None:
            return None
        async with self._limit(f"for {awaited}"):
            message = await self._connection.receive()
        kind, data = message.type.name, message.data
        if kind == "TEXT":
            return data.decode() if isinstance(data, bytes) else str(data)
        if kind == "BINARY":
            return bytes(data)
        if kind == "CLOSE":
            self._close = (int(data), str(message.extra or ""))
        elif kind == "ERROR":
            raise UnexpectedResponseError(f"{self.url} broke the websocket protocol: {data}.") from data
        else:  # CLOSING or CLOSED: the connection ended without a close frame, or this side closed it
            self._close = (_LOST, "")
        return None

    def _limit(self, awaited: str) -> AbstractAsyncContextManager[None]:
        return within(self._timeout, f"{self.url}: waited {self._timeout:g} s {awaited}.")


@asynccontextmanager
async def within(seconds: float | None, text: str) -> AsyncGenerator[None, None]:
    """Limit a block, with an error that says what was waited for; that of `asyncio.timeout` has no text."""
    limit = Timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():  # someone else's
            raise
        raise TimeoutError(text) from error
