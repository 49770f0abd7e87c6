"""A response that is fully read, what was asked for it, and how both are told when they are not as expected.

Does no I/O and imports no HTTP library: whatever speaks HTTP fills these in.

Invariants:
1. A `Response` has its whole body; reading it never waits and never fails for a closed connection.
2. Error texts show no `Authorization`, which may be a real one that a log should not have; only its scheme.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast, final

from typing_extensions import TypeForm

from looprig.exceptions import LooprigError, UnexpectedResponseError
from looprig.http.decode import DEFAULT_DECODER, Decoder, form_name
from looprig.http.headers import Headers

__all__ = ["Request", "Response", "expected_statuses"]

_T = TypeVar("_T")

__tracebackhide__: Final = True  # pytest shows a failure where the test asked, not in here

_EXCERPT: Final = 2000
"""Characters of a body that an error shows; the rest is counted."""

_UNREMARKABLE: Final = frozenset({
    "accept", "accept-encoding", "connection", "content-length", "date", "host", "server", "user-agent",
})  # fmt: skip
_SECRET: Final = frozenset({"authorization", "proxy-authorization"})


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What was sent. `body` is None where it was a stream or a form with files, which are not kept."""

    method: str
    url: str
    headers: Headers
    body: bytes | None


@final
@dataclass(frozen=True, slots=True)
class Response:
    """A response, fully read. `url` and `method` are those of the last request, after redirects.

    `body` is decompressed. Sizes are bytes.
    """

    status: int
    reason: str
    headers: Headers
    body: bytes
    url: str
    method: str
    request: Request

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def content_type(self) -> str:
        """The media type in lower case without its parameters; empty where none was sent."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The charset that `Content-Type` names, else `utf-8`."""
        named = re.search(r';\s*charset="?([^\s;"]+)', self.headers.get("Content-Type", ""), re.IGNORECASE)
        return named.group(1).lower() if named else "utf-8"

    @property
    def text(self) -> str:
        """The body as text, by `charset`. Raises `UnexpectedResponseError` where it is not that."""
        try:
            return self.body.decode(self.charset)
        except (UnicodeDecodeError, LookupError) as error:
            raise self.unexpected(f"but its body is not text in {self.charset}: {error}.") from error

    def json(self) -> Any:
        """The body as plain JSON data, untyped. Raises `UnexpectedResponseError` where it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise self.unexpected(f"but its body is not JSON: {error}.") from error

    def decode(self, into: TypeForm[_T], *, decoder: Decoder = DEFAULT_DECODER) -> _T:
        """Decode a JSON body into a type; `None` takes an empty body as well.

        Raises `UnexpectedResponseError` where the body does not fit, `ExtraMissingError` where the library that
        decodes is not installed, and `LooprigError` for a type that it does not know.
        """
        if not self.body and form_name(into) == "None":
            return cast("_T", None)
        try:
            return decoder.decode(self.body, into)
        except ValueError as error:
            why = f"but its body does not decode into {form_name(into)}: {_sentence(error)}"
            raise self.unexpected(why) from None  # of the causes, `why` has all there is
        except TypeError as error:
            raise LooprigError(
                f"Nothing can be decoded into {form_name(into)}: {_sentence(error)}",
                (),
                "Ask into= for a type that msgspec knows or for a pydantic model, or give the client a decoder=.",
            ) from error

    def expect(self, status: int | Collection[int]) -> "Response":
        """Give this response if its status is the one, or one of those; else raise `UnexpectedResponseError`."""
        if self.status == status if isinstance(status, int) else self.status in status:
            return self
        raise self.unexpected(f"expected {expected_statuses(status)}.")

    def unexpected(self, why: str) -> UnexpectedResponseError:
        """Make the error that tells request, status and body; `why` ends its first sentence."""
        return UnexpectedResponseError("\n".join(self._told(why)))

    def _told(self, why: str) -> Iterator[str]:
        moved = "" if self.url == self.request.url else f" -> {self.method} {self.url}"
        phrase = f"{self.status} {self.reason}".rstrip()
        yield f"{self.request.method} {self.request.url}{moved} answered {phrase}, {why}"
        yield from _shown(">", self.request.headers, self.request.body)
        yield from _shown("<", self.headers, self.body)


def expected_statuses(status: int | Collection[int]) -> str:
    """Write an expectation: `201`, `200 or 404`, `200 to 299`."""
    if isinstance(status, int):
        return str(int(status))
    if isinstance(status, range) and status.step == 1 and len(status) > 1:
        return f"{status[0]} to {status[-1]}"
    return " or ".join(str(int(each)) for each in sorted(status)) or "no status at all"


def _shown(mark: str, headers: Headers, body: bytes | None) -> Iterator[str]:
    for name, value in headers.pairs:
        if name.lower() not in _UNREMARKABLE:
            shown = f"{value.partition(' ')[0]} (not shown)" if name.lower() in _SECRET else value
            yield f"  {mark} {name}: {shown}"
    if body:
        yield from (f"  {mark} {line}".rstrip() for line in _excerpt(body))


def _excerpt(body: bytes) -> list[str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = repr(body)
    if len(text) <= _EXCERPT:
        return text.splitlines()
    return [*text[:_EXCERPT].splitlines(), f"... ({len(text) - _EXCERPT} more characters)"]


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    return text if text.endswith(".") else f"{text}."
