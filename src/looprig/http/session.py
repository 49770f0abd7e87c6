"""The bridge from the typed client to aiohttp: one session, which sends requests and returns responses.

Does not check responses. Invariant: aiohttp is imported when a `Session` is created, not when this module is loaded,
and no aiohttp object but the websocket connection leaves this module.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar, cast, final
from urllib.parse import urlencode

from looprig._extras import LazyModule
from looprig.exceptions import UnexpectedResponseError
from looprig.http.checks import encoded
from looprig.http.connections import Connections
from looprig.http.cookies import Cookies
from looprig.http.forms import Files, fields_of, multipart
from looprig.http.headers import Headers
from looprig.http.response import Request, Response
from looprig.http.websocket import Connection, within
from looprig.net.unix import SCHEME, split_unix_url
from looprig.runtime.clock import Timeout

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = LazyModule("aiohttp", extra="aiohttp", needed_for="looprig.TestClient")

__all__ = ["Pieces", "RequestOptions", "Session"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_T = TypeVar("_T")


class RequestOptions(TypedDict, total=False):
    """The keyword arguments of every verb of a `TestClient`.

    - `params`: the query, as a mapping or, if names repeat, a sequence of pairs.
    - `headers`, `cookies`: for this request, in addition to those of the client, which they override.
    - `json`: any value that can be encoded as JSON: plain data, Structs, dataclasses, pydantic models.
    - `data`: a raw body (bytes or str), a form (a mapping, a list of pairs or `aiohttp.FormData`), or a stream of
      bytes. In a form, a value may be a list of several, True is sent as `true`, and None as nothing.
    - `files`: files to upload, as for httpx: `{"file": ("a.txt", b"content", "text/plain")}`, where a file may also be
      bytes, or a file opened in binary mode. For several files with one name, pass a list of pairs. With `files`,
      `data` has the other fields of the form.
    - `timeout`: time limit in seconds for the whole request, or `None` for no limit. For a stream, it limits each wait.
    - `allow_redirects`: whether to follow redirects; by default yes.
    """

    params: Mapping[str, str | int | float] | Sequence[tuple[str, str | int | float]]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    json: object
    data: object
    files: Files
    timeout: float | None
    allow_redirects: bool


@final
class Session:
    """An aiohttp session for one base URL, with its own cookies. Closing it leaves the connections open.

    If it was used for nothing that leaves a trace in aiohttp's session, the next client gets that one.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float, connections: Connections) -> None:
        self._connections = connections
        self._has_traces = bool(headers)
        self._running = 0
        self._timeout = timeout
        self.url: Final = url.rstrip("/")
        over_unix_socket = split_unix_url(self.url)
        self._base = over_unix_socket[1] if over_unix_socket is not None else self.url
        spare = connections.spare
        self._session = spare.pop() if spare and not headers else _new(headers, connections)

    @property
    def cookies(self) -> Cookies:
        """The cookies that this client keeps."""
        import yarl  # noqa: PLC0415 - installed and loaded together with aiohttp

        self._has_traces = True  # a test may keep the result
        return Cookies(cast("aiohttp.CookieJar", self._session.cookie_jar), yarl.URL(self._base))

    def close(self) -> None:
        """Detach the session from the connections, or leave it to the next client. It has nothing else to close."""
        if self._has_traces or self._running:
            self._session.detach()
        else:
            self._connections.spare.append(self._session)

    async def request(self, method: str, path: str, options: RequestOptions, name: str = "request") -> Response:
        """Send one request, read the whole response, and return it. `name` is for errors."""
        sent, body = _body(options, name)

        async def ask() -> Response:
            async with await self._send(method, path, options, sent) as answer:
                return self._response(answer, await answer.read(), body)

        return await self._limited(ask(), method, path, options, "no complete response")

    async def open(self, method: str, path: str, options: RequestOptions, name: str) -> tuple[Response, "Pieces"]:
        """Send one request, and return the head of its response, without a body, and the pieces of its body."""
        sent, body = _body(options, name)

        async def ask() -> tuple[Response, Pieces]:
            answer = await self._send(method, path, options, sent)
            self._running += 1
            return self._response(answer, b"", body), Pieces(answer, self._ended)

        return await self._limited(ask(), method, path, options, "no response")

    def _ended(self) -> None:
        self._running -= 1

    async def _send(
        self, method: str, path: str, options: RequestOptions, sent: dict[str, Any]
    ) -> "aiohttp.ClientResponse":
        await self._connections.settle()
        return await self._session.request(
            method,
            self.url_of(path),
            params=options.get("params"),
            cookies=options.get("cookies"),
            allow_redirects=options.get("allow_redirects", True),
            **sent,
        )

    async def _limited(
        self, asking: Coroutine[Any, Any, _T], method: str, path: str, options: RequestOptions, what: str
    ) -> _T:
        limit = options.get("timeout", self._timeout)
        clock = Timeout(limit)
        self._running += 1
        try:
            async with clock:
                result = await asking
        except TimeoutError:
            if not clock.expired():  # one of aiohttp's own limits, such as the one on connecting
                raise
            # The frames of aiohttp and asyncio say nothing about the request.
            raise TimeoutError(f"{method} {self.url_of(path)}: {what} within {limit} s.") from None
        except aiohttp.ClientError as error:
            error.add_note(f"The request was {method} {self.url_of(path)}.")
            raise
        self._running -= 1  # a request that fails counts as running
        return result

    def _response(self, answer: "aiohttp.ClientResponse", content: bytes, sent: bytes | None) -> Response:
        self._has_traces |= bool(answer.history) or "Set-Cookie" in answer.headers
        first = answer.history[0] if answer.history else answer
        asked = Request(first.method, str(first.request_info.url), _headers(first.request_info.headers), sent)
        return Response(
            answer.status,
            answer.reason or "",
            _headers(answer.headers),
            content,
            str(answer.url),
            answer.method,
            asked,
        )

    async def websocket(
        self,
        path: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        protocols: Sequence[str],
        limit: float,
    ) -> tuple[Connection, str]:
        """Open a websocket, and return the connection and its URL."""
        url = self.url_of(path)
        self._has_traces = True
        try:
            async with within(limit, f"{url}: no websocket within {limit} s."):
                await self._connections.settle()
                opened = await self._session.ws_connect(url, params=params, headers=headers, protocols=protocols)
        except aiohttp.WSServerHandshakeError as error:
            raise UnexpectedResponseError(
                f"GET {error.request_info.url} answered {_answered(error)}, but a websocket was expected to open."
            ) from None  # the frames of aiohttp say nothing about the response
        return cast("Connection", opened), url

    def url_of(self, path: str) -> str:
        """Append a path to the base URL. An absolute URL is returned as it is."""
        if path.startswith(f"{SCHEME}://"):
            path = path[len(self.url) :]
        if path.startswith(("http://", "https://", "ws://", "wss://")):
            return path
        return f"{self._base}/{path.removeprefix('/')}" if path else self._base


@final
class Pieces:
    """The body of a response, piece by piece. `closed` is called once."""

    def __init__(self, answer: "aiohttp.ClientResponse", closed: Callable[[], None]) -> None:
        self._answer = answer
        self._closed = closed
        self.is_closed: bool = False

    async def next(self, note: Callable[[], str]) -> bytes:
        """Wait for the next piece, and return it, or nothing at the end of the body.

        Raises:
            aiohttp.ClientError: the connection broke. It gets the text of `note`.
        """
        try:
            return await self._answer.content.readany()
        except aiohttp.ClientError as error:
            error.add_note(note())
            raise error.with_traceback(None) from None  # the frames of aiohttp say nothing about the response

    async def some(self, size: int, seconds: float) -> bytes:
        """Return about `size` bytes, or fewer if the connection breaks or `seconds` pass."""
        found = bytearray()
        with suppress(aiohttp.ClientError, TimeoutError):
            async with Timeout(seconds):
                while len(found) < size and (piece := await self._answer.content.readany()):
                    found += piece
        return bytes(found)

    def close(self) -> bool:
        """Close the connection, unless the body has been read to its end. Then it may be used again.

        Return whether the connection was open.
        """
        was_open = self._answer.connection is not None
        if not self.is_closed:
            self.is_closed = True
            self._answer.close()
            self._closed()
        return was_open


def _new(headers: Mapping[str, str], connections: Connections) -> "aiohttp.ClientSession":
    session = aiohttp.ClientSession(
        connector=connections.connector,
        connector_owner=False,
        # `unsafe=True` keeps cookies of IP addresses such as 127.0.0.1.
        cookie_jar=aiohttp.CookieJar(unsafe=True, loop=connections.loop),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=None),  # `request` has its own limit, with a better message
    )
    # aiohttp resends a request whose connection broke, which may hide the very thing under test. Its own test client
    # turns that off in the same way.
    setattr(session, "_retry_connection", False)  # noqa: B010 - type checkers reject the private name
    return session


def _answered(error: "aiohttp.WSServerHandshakeError") -> str:
    """Return the status of a refused websocket or, if that is right, what else is wrong with the response."""
    if error.status == HTTPStatus.SWITCHING_PROTOCOLS:
        return f"{error.status} ({error.message})"
    with suppress(ValueError):  # another status
        return f"{error.status} {HTTPStatus(error.status).phrase}"
    return str(error.status)


def _body(options: RequestOptions, name: str) -> tuple[dict[str, Any], bytes | None]:
    """Return the arguments for aiohttp that hold headers and body, and the body in a form that errors can show."""
    headers = dict(options.get("headers", {}))
    if "json" in options:
        body = encoded(name, options["json"])
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        return {"headers": headers, "data": body}, body
    data = options.get("data")
    if files := options.get("files"):
        body, headers["Content-Type"] = multipart(name, files, data)
        return {"headers": headers, "data": body}, body
    fields = fields_of(data)
    if fields is not None:
        return {"headers": headers, "data": fields}, urlencode(fields).encode()
    return {"headers": headers, "data": data}, _shown(data)


def _shown(data: object) -> bytes | None:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(cast("bytes", data))
    return None


def _headers(headers: Mapping[str, str]) -> Headers:
    return Headers(headers.items())  # a multidict yields repeated names too
