"""Where the typed client meets aiohttp: one session, what is put in and what comes out.

Does not judge responses: it gives them as they are. Invariant: aiohttp is imported by making a `Session`, not by
loading this module, and none of its objects leaves it but the websocket connection.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast, final
from urllib.parse import urlencode

from looprig._extras import LazyModule
from looprig.exceptions import UnexpectedResponseError
from looprig.http.connections import Connections
from looprig.http.cookies import Cookies
from looprig.http.decode import encode_json
from looprig.http.headers import Headers
from looprig.http.response import Request, Response
from looprig.http.websocket import Connection, within
from looprig.runtime.clock import Timeout

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = LazyModule("aiohttp", extra="aiohttp", needed_for="looprig.TestClient")

__all__ = ["RequestOptions", "Session"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


class RequestOptions(TypedDict, total=False):
    """What every verb of a `TestClient` takes by keyword.

    - `params`: the query; a sequence of pairs where a name repeats.
    - `headers`, `cookies`: for this request, over those of the client.
    - `json`: any value with a JSON form: plain data, Structs, dataclasses, pydantic models.
    - `data`: a raw body (bytes or str), a form (a mapping or `aiohttp.FormData`), or a stream of bytes.
    - `timeout`: seconds for the whole request; None for no limit.
    - `allow_redirects`: whether to follow them; by default yes.
    """

    params: Mapping[str, str | int | float] | Sequence[tuple[str, str | int | float]]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    json: object
    data: object
    timeout: float | None
    allow_redirects: bool


@final
class Session:
    """An aiohttp session for one base URL, with cookies of its own; closed by `close`, which leaves the connections."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float, connections: Connections) -> None:
        import yarl  # noqa: PLC0415 - comes with aiohttp, and like it is loaded when a client is opened

        self._connections = connections
        self._is_fresh = True
        self._timeout = timeout
        self._url = url.rstrip("/")
        # "unsafe" is to keep cookies of IP addresses, as 127.0.0.1 is one
        jar = aiohttp.CookieJar(unsafe=True, loop=connections.loop)
        self._session = aiohttp.ClientSession(
            connector=connections.connector,
            connector_owner=False,
            cookie_jar=jar,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),  # each request has a limit of our own, which tells more
        )
        # aiohttp sends a request anew that met a broken connection, and so hides what a test may be about. Its own test
        # client turns that off in the same way.
        setattr(self._session, "_retry_connection", False)  # noqa: B010 - private, and typed as that
        self.cookies: Cookies = Cookies(jar, yarl.URL(self._url))

    def close(self) -> None:
        """Lets go of the connections. The aiohttp session has nothing else that is to be closed."""
        self._session.detach()

    async def _settled(self) -> "aiohttp.ClientSession":
        if self._is_fresh:
            self._is_fresh = False
            await self._connections.settle()
        return self._session

    async def request(self, method: str, path: str, options: RequestOptions) -> Response:
        """Send one request and read its whole response."""
        if unknown := options.keys() - RequestOptions.__annotations__.keys():
            raise TypeError(
                f"a request takes no {', '.join(sorted(unknown))}: see looprig.TestClient for what it takes"
            )
        url = self.url_of(path)
        limit = options.get("timeout", self._timeout)
        sent, body = _body(options)
        clock = Timeout(limit)
        try:
            async with clock:
                session = await self._settled()
                asking = session.request(
                    method,
                    url,
                    params=options.get("params"),
                    cookies=options.get("cookies"),
                    allow_redirects=options.get("allow_redirects", True),
                    **sent,
                )
                async with asking as answer:
                    content = await answer.read()
        except TimeoutError as error:
            if not clock.expired():  # aiohttp has others, of connecting say
                raise
            raise TimeoutError(f"{method} {url}: no whole answer within {limit} s.") from error
        except aiohttp.ClientError as error:
            error.add_note(f"It was asked for {method} {url}.")
            raise
        first = answer.history[0] if answer.history else answer
        asked = Request(method, str(first.request_info.url), _headers(first.request_info.headers), body)
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
        """Open a websocket; gives the connection and its URL."""
        url = self.url_of(path)
        try:
            async with within(limit, f"{url}: no websocket within {limit} s."):
                session = await self._settled()
                opened = await session.ws_connect(url, params=params, headers=headers, protocols=protocols)
        except aiohttp.WSServerHandshakeError as error:
            answered = f"answered {error.status}: {error.message}"
            raise UnexpectedResponseError(
                f"GET {error.request_info.url} {answered}, where a websocket was expected to open."
            ) from error
        return cast("Connection", opened), url

    def url_of(self, path: str) -> str:
        """Put a path after the base URL; what is a whole address already is left as it is."""
        if path.startswith(("http://", "https://", "ws://", "wss://")):
            return path
        return f"{self._url}/{path.removeprefix('/')}" if path else self._url


def _body(options: RequestOptions) -> tuple[dict[str, Any], bytes | None]:
    """Give what aiohttp is handed for headers and body, and the body as far as it can be shown."""
    headers = dict(options.get("headers", {}))
    if "json" in options:
        if "data" in options:
            raise TypeError("a request has one body: give json= or data=, not both")
        encoded = encode_json(options["json"])
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        return {"headers": headers, "data": encoded}, encoded
    data = options.get("data")
    return {"headers": headers, "data": data}, _shown(data)


def _shown(data: object) -> bytes | None:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(cast("bytes", data))
    if isinstance(data, Mapping):
        fields = cast("Mapping[str, object]", data)
        if all(isinstance(value, str | int) for value in fields.values()):
            return urlencode(fields).encode()
    return None


def _headers(headers: Mapping[str, str]) -> Headers:
    return Headers(headers.items())  # of a multidict, so that repeated names are all there
