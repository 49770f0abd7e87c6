"""Lines and server-sent events, cut out of bytes that arrive in pieces.

Does no I/O. Invariants:
1. A line ends with LF, CR LF or CR, and with nothing else: JSON may contain the other separators of Unicode.
2. What a piece cuts in two, a line end or a character, is put together again.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast, final

from typing_extensions import TypeForm

from looprig.http.decode import DEFAULT_DECODER

__all__ = ["EventParser", "LineSplitter", "ServerSentEvent"]

_T = TypeVar("_T")

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


@final
@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """An event of a stream, as the HTML standard defines it.

    `event` is its type. `id` is the last id that was sent, and `retry` the last time that a client should wait before
    it connects again, in seconds. `data` has the lines of its `data` fields.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: float | None = None
    _decode: Callable[[str, object], object] | None = field(default=None, repr=False, compare=False)

    def decode(self, into: TypeForm[_T]) -> _T:
        """Decode the event's JSON into a type, as `into=` does for all events of a stream.

        Raises `UnexpectedResponseError` if it does not fit.
        """
        if self._decode is None:  # it was not received
            return DEFAULT_DECODER.decode(self.data.encode(), into)
        return cast("_T", self._decode(self.data, into))


@final
class LineSplitter:
    """The lines in bytes that arrive in pieces."""

    def __init__(self) -> None:
        self._after_cr = False
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, piece: bytes) -> None:
        """Add the next piece."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        self._buffer += piece

    def take(self) -> bytes | None:
        """Return the next complete line without its end, or `None`."""
        found = _LINE_END.search(self._buffer, self._searched)
        if found is None:
            self._searched = len(self._buffer)
            return None
        self._after_cr = found.group() == b"\r" and found.end() == len(self._buffer)
        line, end = bytes(self._buffer[: found.start()]), found.end()
        del found  # it locks the buffer
        del self._buffer[:end]
        self._searched = 0
        return line

    def __bool__(self) -> bool:
        """Return whether any bytes were not taken."""
        return bool(self._buffer)

    def take_all(self) -> bytes:
        """Return all bytes that were not taken."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return rest


@final
class EventParser:
    """The events in lines. `has_begun` says whether the last one is still incomplete."""

    def __init__(self) -> None:
        self._data: list[str] = []
        self._event = ""
        self._id = ""
        self._is_first = True
        self._retry: float | None = None
        self.has_begun: bool = False

    def feed(self, line: bytes, decode: Callable[[str, object], object]) -> ServerSentEvent | None:
        """Add the next line, and return the event that it completes, if any."""
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(_BOM)
        if not line:
            data, event = self._data, self._event or "message"
            self._data, self._event, self.has_begun = [], "", False
            return ServerSentEvent("\n".join(data), event, self._id, self._retry, decode) if data else None
        name, _, value = line.decode().partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
                self.has_begun = True
            case "event":
                self._event = value
                self.has_begun = True
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self._retry = int(value) / 1000
            case _:  # a comment, or a field that the standard tells clients to ignore
                pass
        return None
