"""A websocket for tests: typed messages, a time limit on every wait, and errors with close codes.

Does not reconnect, and does not answer pings, since aiohttp does. `TestClient.ws` opens one.

Invariants:
1. Every wait has a time limit, and the error when it expires says what the test waited for.
2. If the service closes while a message is awaited, the error has the close code and reason.
"""

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast, final, overload

from typing_extensions import TypeForm

from looprig.declare.values import check_values
from looprig.exceptions import LooprigError, UnexpectedResponseError
from looprig.http.checks import CLOSE_CODE, FORM, MESSAGE, REASON, encoded
from looprig.http.decode import DEFAULT_DECODER, Decoder, form_name
from looprig.runtime.clock import Timeout

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Connection", "WebSocket", "cut", "within"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_T = TypeVar("_T")

_RAW: Final = str | bytes
"""The type that `receive` returns by default: the message as it was sent."""


_LOST: Final = 1006
"""The code for a connection that ended without a close frame (RFC 6455, section 7.4.1). It is never sent."""


class Connection(Protocol):
    """The part of `aiohttp.ClientWebSocketResponse` that is used. The class itself is generic only in some versions."""

    @property
    def protocol(self) -> str | None:
        """The negotiated subprotocol."""

    @property
    def close_code(self) -> int | None:
        """The code of the received close frame, if any."""

    async def send_str(self, data: str) -> None:
        """Send a text message."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""

    async def receive(self) -> "aiohttp.WSMessage":
        """Wait for the next message, which may be a close."""
        ...

    async def close(self, *, code: int = ..., message: bytes = ...) -> bool:
        """Send a close frame, and wait for the reply."""
        ...


@final
class WebSocket:
    """An open websocket. `TestClient.ws` opens and closes it.

    `timeout` limits every wait on it, in seconds.
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
        """The subprotocol that client and service agreed on, if any."""
        return self._connection.protocol

    @property
    def close_code(self) -> int | None:
        """The code of the service's close frame (RFC 6455, section 7.4), or `None` while the websocket is open.

        If this side closed first, it is the code of the service's reply. 1006 means that the connection was lost
        without a close frame.
        """
        return self._close[0] if self._close else None

    @property
    def close_reason(self) -> str:
        """The reason in the service's close frame, or an empty string."""
        return self._close[1] if self._close else ""

    async def send(self, message: str | bytes) -> None:
        """Send a text or a binary message."""
        check_values("WebSocket.send", [("message", message, MESSAGE)])
        await self._send(message)

    async def _send(self, message: str | bytes) -> None:
        async with self._limit("to send a message"):
            if isinstance(message, str):
                await self._connection.send_str(message)
            else:
                await self._connection.send_bytes(message)

    async def send_json(self, value: object) -> None:
        """Send a value as JSON in a text message: plain data, Structs, dataclasses, pydantic models."""
        await self._send(encoded("WebSocket.send_json", value).decode())

    @overload
    async def receive(self) -> str | bytes: ...
    @overload
    async def receive(self, *, into: TypeForm[_T]) -> _T: ...
    async def receive(self, *, into: Any = _RAW) -> Any:
        """Wait for the next message and decode its JSON into a type. Without a type, return it as it was sent.

        Raises `UnexpectedResponseError` if it can't be decoded or the service closes first, and `TimeoutError`.
        """
        check_values("WebSocket.receive", [("into", into, FORM)])
        message = await self._receive("a message" if into is _RAW else f"a message of {form_name(into)}")
        if into is _RAW:
            return message
        try:
            return self._decoder.decode(message.encode() if isinstance(message, str) else message, into)
        except ValueError as error:
            raise UnexpectedResponseError(
                f"{self.url} sent a message that does not decode into {form_name(into)}: {error}\n  < {message!r}"
            ) from None  # the text includes that of the cause

    async def receive_text(self) -> str:
        """Wait for the next message, which must be text."""
        message = await self._receive("a text message")
        if isinstance(message, str):
            return message
        raise UnexpectedResponseError(f"{self.url} sent a binary message, but text was expected.\n  < {message!r}")

    async def receive_bytes(self) -> bytes:
        """Wait for the next message, which must be binary."""
        message = await self._receive("a binary message")
        if isinstance(message, bytes):
            return message
        raise UnexpectedResponseError(f"{self.url} sent text, but a binary message was expected.\n  < {message!r}")

    async def wait_closed(self) -> int:
        """Wait until the service closes, and return its close code. A message before that is an error."""
        message = await self._next("the service to close")
        if message is not None:
            raise UnexpectedResponseError(f"{self.url} sent a message, but it was expected to close.\n  < {message!r}")
        return cast("tuple[int, str]", self._close)[0]

    async def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Close from this side. Closing twice is the same as closing once."""
        check_values("WebSocket.close", [("code", code, CLOSE_CODE), ("reason", reason, REASON)])
        async with self._limit("to close"):
            await self._connection.close(code=code, message=reason.encode())
        self._close = self._close or (self._connection.close_code or _LOST, "")
        self._open = False

    async def _receive(self, awaited: str) -> str | bytes:
        message = await self._next(awaited)
        if message is not None:
            return message
        if not self._open:
            raise LooprigError(f"{self.url} was closed from this side, so {awaited} cannot arrive.")
        raise UnexpectedResponseError(
            f"{self.url} closed with code {self.close_code}"
            f"{f' ({self.close_reason})' if self.close_reason else ''} while {awaited} was awaited."
        )

    async def _next(self, awaited: str) -> str | bytes | None:
        """Return the next data message, or `None` once the connection is closed."""
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
            raise UnexpectedResponseError(f"{self.url} broke the websocket protocol: {data}.") from None
        else:  # CLOSING or CLOSED: the connection ended without a close frame, or this side closed it
            self._close = (_LOST, "")
        return None

    def _limit(self, awaited: str) -> AbstractAsyncContextManager[None]:
        return within(self._timeout, f"{self.url}: waited {self._timeout:g} s {awaited}.")


def cut(websocket: WebSocket) -> bool:
    """Close the connection of a websocket at once, and return whether it was open."""
    connection: Any = websocket._connection  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - no method for suites
    was_open = not connection.closed
    connection._response.close()  # noqa: SLF001 - aiohttp's own `close` waits for the answer of the other side
    return was_open


@final
class within:  # noqa: N801 - used like a function
    """A block with a limited time, and `text` as the error's message. That of `asyncio.timeout` has none."""

    # A class, since the frames of a decorated generator would be in the traceback of the error.
    def __init__(self, seconds: float | None, text: str) -> None:
        self._limit: Final = Timeout(seconds)
        self._text: Final = text

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, traceback)
        except TimeoutError:
            # The frames of aiohttp and asyncio say nothing about the websocket.
            raise TimeoutError(self._text) from None
