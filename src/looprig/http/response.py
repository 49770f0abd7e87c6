"""A complete response and its request, and the error that shows both if the response is not as expected.

Does no I/O and imports no HTTP library: `session` creates these objects.

Invariants:
1. A `Response` has its whole body. Reading the body never waits, and never fails because of a closed connection.
2. Errors show only the scheme of an `Authorization` header: its credentials may be real, and logs are shared.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast, final

from typing_extensions import TypeForm

from looprig.declare.values import check_values
from looprig.exceptions import LooprigError, UnexpectedResponseError
from looprig.http.checks import DECODER, FORM, STATUS
from looprig.http.decode import DEFAULT_DECODER, Decoder, form_name
from looprig.http.headers import Headers

__all__ = ["EXCERPT", "Request", "Response", "decode", "decoded", "ending", "expect", "expected_statuses", "sentence"]

_T = TypeVar("_T")

__tracebackhide__: Final = True  # pytest shows a failure at the test's request, not in here

EXCERPT: Final = 2000
"""Number of characters of a body that an error shows. It counts the rest."""

_UNREMARKABLE: Final = frozenset({
    "accept", "accept-encoding", "connection", "content-length", "date", "host", "server", "user-agent",
})  # fmt: skip
_SECRET: Final = frozenset({"authorization", "proxy-authorization"})


@final
@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was sent. `body` is `None` for a stream or a form with files, which are not kept."""

    method: str
    url: str
    headers: Headers
    body: bytes | None


@final
@dataclass(frozen=True, slots=True)
class Response:
    """A response, completely read.

    `url` and `method` are those of the last request, after redirects. `body` is decompressed.
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
        """The media type in lower case, without parameters. Empty if none was sent."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The charset that `Content-Type` names, or `utf-8`."""
        named = re.search(r';\s*charset="?([^\s;"]+)', self.headers.get("Content-Type", ""), re.IGNORECASE)
        return named.group(1).lower() if named else "utf-8"

    @property
    def text(self) -> str:
        """The body as text, decoded by `charset`. Raises `UnexpectedResponseError` if it can't be."""
        try:
            return self.body.decode(self.charset)
        except (UnicodeDecodeError, LookupError) as error:
            raise self.unexpected(f"but its body is not text in {self.charset}: {error}.") from None

    def json(self) -> Any:
        """Return the body as untyped JSON data. Raises `UnexpectedResponseError` if it isn't JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise self.unexpected(f"but its body is not JSON: {error}.") from None

    def decode(self, into: TypeForm[_T], *, decoder: Decoder = DEFAULT_DECODER) -> _T:
        """Decode a JSON body into a type. `None` also accepts an empty body.

        Raises `UnexpectedResponseError` if the body does not fit the type, `ExtraMissingError` if the library that
        decodes it isn't installed, and `LooprigError` for a type that the library does not support.
        """
        check_values("Response.decode", [("into", into, FORM), ("decoder", decoder, DECODER)])
        return decode(self, into, decoder)

    def expect(self, status: int | Collection[int]) -> "Response":
        """Return this response if its status is the expected one, or one of several.

        Raises `UnexpectedResponseError` otherwise.
        """
        check_values("Response.expect", [("status", status, STATUS)])
        expect(self, status)
        return self

    def unexpected(self, why: str) -> UnexpectedResponseError:
        """Return an error that shows request, status and body. `why` is the end of its first sentence."""
        return UnexpectedResponseError("\n".join(self._lines(why)))

    def _lines(self, why: str) -> Iterator[str]:
        moved = "" if self.url == self.request.url else f" -> {self.method} {self.url}"
        phrase = f"{self.status} {self.reason}".rstrip()
        yield f"{self.request.method} {self.request.url}{moved} answered {phrase}, {why}"
        yield from _shown(">", self.request.headers, self.request.body)
        yield from _shown("<", self.headers, self.body)


def decode(response: Response, into: TypeForm[_T], decoder: Decoder) -> _T:
    """Decode a body as `Response.decode` does, with arguments that are known to be right."""
    if not response.body and form_name(into) == "None":
        return cast("_T", None)
    try:
        return decoded(response.body, into, decoder)
    except ValueError as error:
        why = f"but its body does not decode into {form_name(into)}: {sentence(error)}"
        raise response.unexpected(why) from None  # `why` includes the text of the cause


def decoded(body: bytes, into: TypeForm[_T], decoder: Decoder) -> _T:
    """Decode JSON into a type.

    Raises:
        ValueError: the JSON does not fit.
        LooprigError: the decoder does not support the type.
    """
    try:
        return decoder.decode(body, into)
    except TypeError as error:
        raise LooprigError(
            f"JSON cannot be decoded into {form_name(into)}: {sentence(error)}",
            (),
            "Pass into= a type that msgspec supports or a pydantic model, or pass decoder= to the client.",
        ) from error


def expect(response: Response, status: int | Collection[int]) -> None:
    """Check a status as `Response.expect` does, given an expectation that is known to be right."""
    if not (response.status == status if isinstance(status, int) else response.status in status):
        raise response.unexpected(f"expected {expected_statuses(status)}.")


def expected_statuses(status: int | Collection[int]) -> str:
    """Return the text of an expectation: `201`, `200 or 404`, `200 to 299`."""
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
    if len(text) <= EXCERPT:
        return text.splitlines()
    return [*text[:EXCERPT].splitlines(), f"... ({len(text) - EXCERPT} more characters)"]


def ending(came: bytes, size: int) -> Iterator[str]:
    """Yield the lines that show the end of a body. `came` is its last part, and `size` the number of bytes in all."""
    text = came.decode(errors="replace").lstrip("\N{REPLACEMENT CHARACTER}")[-EXCERPT:]
    shown, length = text.splitlines(), len(text.encode())
    if "\N{REPLACEMENT CHARACTER}" in text[:-1] or "\0" in text:
        binary = came[-EXCERPT // 4 :]  # a byte may take four characters
        shown, length = [repr(binary)], len(binary)
    if length < size:
        shown = [f"({size - length} bytes before) ...", *shown]
    yield from (f"  < {line}".rstrip() for line in shown)


def sentence(error: Exception) -> str:
    """Return the text of an error with a full stop."""
    text = str(error).strip()
    return text if text.endswith(".") else f"{text}."
