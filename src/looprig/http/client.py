"""A typed HTTP client for one service under test, over a real socket.

It takes its base URL from the service, so it works for any service with a `url`. Its session is aiohttp's, which is
imported when the client is opened: loading this module loads no HTTP library.

Does not start the service, and does not retry: each request is sent once.

Invariants:
1. Every response is read completely before it is returned, so no unread data is left on a connection.
2. Each client has its own cookie jar, so two clients of a service act as two users.
3. Every request has a time limit, unless a test asks for none.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Final, Generic, Self, TypeAlias, cast, final, overload

from typing_extensions import TypeForm, TypeVar, Unpack

from looprig.declare.values import DURATION, check_values
from looprig.exceptions import LooprigError
from looprig.http.address import HasUnixAddress, HasUrl, socket_of, url_of_service
from looprig.http.checks import (
    ADDRESS,
    DECODER,
    FORM,
    HEADERS,
    METHOD,
    PROTOCOLS,
    QUERY,
    SERVICE,
    STATUS,
    check_options,
    check_path,
)
from looprig.http.connections import Connections
from looprig.http.cookies import Cookies
from looprig.http.decode import DEFAULT_DECODER, Decoder
from looprig.http.open_blocks import NotEntered, OpenBlocks
from looprig.http.response import Response, decode, expect
from looprig.http.session import Pieces, RequestOptions, Session
from looprig.http.stream import Opening, StreamedResponse
from looprig.http.websocket import WebSocket, cut
from looprig.location import user_location
from looprig.net.unix import SCHEME
from looprig.watch.leak_reports import LeftOpen

__all__ = ["HasUnixAddress", "HasUrl", "RequestOptions", "TestClient", "left_open", "sharing"]


_ServiceT = TypeVar("_ServiceT", bound=HasUrl | HasUnixAddress, covariant=True)  # noqa: PLC0105 - S in the docs, for service
_S = TypeVar("_S", bound=HasUrl | HasUnixAddress)
_T = TypeVar("_T")
Statuses: TypeAlias = int | Collection[int] | None

_STATUSES: Final = STATUS.or_none()
_SUCCESS: Final = range(200, 300)
__tracebackhide__: Final = True  # pytest shows a failure at the test's request, not in here


@final
class TestClient(Generic[_ServiceT]):
    """An HTTP client for one service, with typed responses.

    Every verb takes a path below the service's URL, and these keyword arguments:

    - `into`: a type to decode the JSON body into. Without it, the whole `Response` is returned.
    - `status`: the expected status, or several. Without it any status is accepted, but with `into` only a 2xx.
    - `params`, `headers`, `cookies`, `json`, `data`, `files`, `timeout`, `allow_redirects`: see `RequestOptions`.

    Raises `UnexpectedResponseError`, an `AssertionError` that shows request, status and body, if the response is not as
    expected, `TimeoutError`, aiohttp's `ClientError` if the connection fails, and `DeclarationError` for a wrong
    argument, before anything is sent.

        async with TestClient(rest) as api:
            users = await api.get("/users", into=list[User], status=200)
            refused = await api.post("/users", json={"name": ""}, status=422)

    `url` replaces the service's own URL, for example with that of a proxy in front of it. `timeout` is the time limit
    of each request in seconds. `headers` are sent with every request.
    """

    __test__: ClassVar[bool] = False  # pytest would collect a class of this name

    def __init__(
        self,
        service: _ServiceT,
        *,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        decoder: Decoder = DEFAULT_DECODER,
    ) -> None:
        check_values(
            "TestClient",
            [
                ("service", service, SERVICE),
                ("url", url, ADDRESS),
                ("headers", headers, HEADERS.or_none()),
                ("timeout", timeout, DURATION),
                ("decoder", decoder, DECODER),
            ],
        )
        self.service: Final = service
        self._decoder = decoder
        self._headers = dict(headers or {})
        self._session: Session | None = None
        self._blocks: Final = OpenBlocks()
        self._own: Connections | None = None
        self._state = "is not open yet"
        self._timeout = timeout
        self._url = url

    @property
    def url(self) -> str:
        """The base URL, to which paths are appended."""
        return self._base_url()

    @property
    def cookies(self) -> Cookies:
        """The cookies that this client keeps, which a test can read, set and delete by name."""
        return self._opened().cookies

    # Two overloads each: with a default for `into`, type checkers would infer its type from the use of the result.

    @overload
    async def request(
        self, method: str, path: str, *, into: TypeForm[_T], status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> _T: ...
    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        into: type[Response] = Response,
        status: Statuses = None,
        **options: Unpack[RequestOptions],
    ) -> Response: ...
    async def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request with any method. See the class for its arguments, result and errors."""
        return await self._send("request", method, path, options)

    async def _send(self, verb: str, method: str, path: str, options: dict[str, Any]) -> Any:
        into, status = options.pop("into", Response), options.pop("status", None)
        name = f"TestClient.{verb}"
        check_values(name, [("method", method, METHOD), ("into", into, FORM), ("status", status, _STATUSES)])
        check_options(name, options)
        session = self._opened()
        check_path(name, path, session.url)
        response = await session.request(method, path, cast("RequestOptions", options), name)
        whole = into is Response
        expected = _SUCCESS if status is None and not whole else status
        if expected is not None:
            expect(response, expected)
        return response if whole else decode(response, into, self._decoder)

    @overload
    async def get(
        self, path: str, *, into: TypeForm[_T], status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> _T: ...
    @overload
    async def get(
        self, path: str, *, into: type[Response] = Response, status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> Response: ...
    async def get(self, path: str, **options: Any) -> Any:
        """Send a GET request."""
        return await self._send("get", "GET", path, options)

    @overload
    async def post(
        self, path: str, *, into: TypeForm[_T], status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> _T: ...
    @overload
    async def post(
        self, path: str, *, into: type[Response] = Response, status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> Response: ...
    async def post(self, path: str, **options: Any) -> Any:
        """Send a POST request."""
        return await self._send("post", "POST", path, options)

    @overload
    async def put(
        self, path: str, *, into: TypeForm[_T], status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> _T: ...
    @overload
    async def put(
        self, path: str, *, into: type[Response] = Response, status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> Response: ...
    async def put(self, path: str, **options: Any) -> Any:
        """Send a PUT request."""
        return await self._send("put", "PUT", path, options)

    @overload
    async def patch(
        self, path: str, *, into: TypeForm[_T], status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> _T: ...
    @overload
    async def patch(
        self, path: str, *, into: type[Response] = Response, status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> Response: ...
    async def patch(self, path: str, **options: Any) -> Any:
        """Send a PATCH request."""
        return await self._send("patch", "PATCH", path, options)

    @overload
    async def delete(
        self, path: str, *, into: TypeForm[_T], status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> _T: ...
    @overload
    async def delete(
        self, path: str, *, into: type[Response] = Response, status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> Response: ...
    async def delete(self, path: str, **options: Any) -> Any:
        """Send a DELETE request."""
        return await self._send("delete", "DELETE", path, options)

    async def head(self, path: str, *, status: Statuses = None, **options: Unpack[RequestOptions]) -> Response:
        """Send a HEAD request. Its response has no body to decode. Follows redirects, like the other verbs."""
        response: Response = await self._send("head", "HEAD", path, {"status": status, **options})
        return response

    @overload
    async def options(
        self, path: str, *, into: TypeForm[_T], status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> _T: ...
    @overload
    async def options(
        self, path: str, *, into: type[Response] = Response, status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> Response: ...
    async def options(self, path: str, **options: Any) -> Any:
        """Send an OPTIONS request."""
        return await self._send("options", "OPTIONS", path, options)

    def ws(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        protocols: Sequence[str] = (),
        timeout: float | None = None,
    ) -> AbstractAsyncContextManager[WebSocket]:
        """Open a websocket for the duration of a block. `timeout` limits each wait on it, in seconds.

        Raises `UnexpectedResponseError` if the service refuses to open one, `TimeoutError`, aiohttp's `ClientError` if
        the connection fails, and `DeclarationError` for a wrong argument. So do the waits in the block: there,
        `UnexpectedResponseError` means that the service closed it first, or sent something else than was expected.

            async with api.ws("/chat") as chat:
                await chat.send_json(Join(room="a"))
                assert await chat.receive(into=Joined) == Joined(room="a")
        """
        name = "TestClient.ws"
        check_values(
            name,
            [
                ("params", params, QUERY.or_none()),
                ("headers", headers, HEADERS.or_none()),
                ("protocols", protocols, PROTOCOLS),
                ("timeout", timeout, DURATION.or_none()),
            ],
        )
        check_path(name, path, self._base_url())
        limit = self._timeout if timeout is None else timeout

        async def connect() -> WebSocket:
            opened = await self._opened().websocket(path, params or {}, headers or {}, protocols, limit)
            return WebSocket(*opened, timeout=limit, decoder=self._decoder)

        return _Opening(connect, self._blocks, LeftOpen(f"The websocket {path}", user_location()))

    def stream(
        self, method: str, path: str, *, status: Statuses = None, **options: Unpack[RequestOptions]
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Send a request, and read its response as it comes, for the duration of a block.

        Takes the arguments of the verbs, without `into`. `timeout` limits each wait, for the head of the response and
        for each piece, line or event. Leaving the block closes the connection, unless the body has ended.

            async with api.stream("GET", "/prices", status=200) as response:
                async for price in response.iter_events(into=Price):
                    ...
        """
        name = "TestClient.stream"
        check_values(name, [("method", method, METHOD), ("status", status, _STATUSES)])
        check_options(name, options, decodes=False)
        check_path(name, path, self._base_url())

        def ask() -> Awaitable[tuple[Response, Pieces]]:
            return self._opened().open(method, path, options, name)

        limit = options.get("timeout", self._timeout)
        shown = LeftOpen(f"The stream {method} {path}", user_location())
        return Opening(ask, status, limit, self._decoder, blocks=self._blocks, shown=shown)

    async def __aenter__(self) -> Self:
        tls = getattr(self.service, "client_tls", None)
        path = socket_of(self._base_url())  # raises before anything is opened
        connections = Connections(asyncio.get_running_loop(), tls, path)
        self._open(connections)
        self._own = connections
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        if self._own is not None:
            await self._own.close()

    def _open(self, connections: Connections) -> None:
        if self._session is not None:
            raise LooprigError(f"{self!r} is already open.", (), "Open it once, or create one client for each user.")
        self._session = Session(self._base_url(), self._headers, self._timeout, connections)

    def _close(self) -> list[LeftOpen]:
        """Close the client, and what a test has left open on it, which is returned."""
        left = self._blocks.close()
        session, self._session = self._session, None
        self._state = "is closed"
        if session is not None:
            session.close()
        return left

    def __repr__(self) -> str:
        return f"<TestClient of {type(self.service).__qualname__}>"

    def _base_url(self) -> str:
        url = self._url if self._url is not None else url_of_service(self.service)
        if isinstance(url, str) and url.startswith(("http://", "https://", f"{SCHEME}://")):
            return url
        fix = "Give the service a `url` property, or pass url= to the client."
        if callable(cast("object", self.service)):
            fix = "To test an application, return it from `create_app` of an AsgiService or AiohttpService."
        raise LooprigError(f"{self!r} has no http:// or https:// address to connect to; its url is {url!r}.", (), fix)

    def _opened(self) -> Session:
        if self._session is not None:
            return self._session
        raise LooprigError(
            f"{self!r} {self._state}, so it cannot send requests.",
            (),
            "Use it inside `async with TestClient(service) as client:`, or take it from its fixture.",
        )


@final
class _Opening(NotEntered):
    """A block in which a websocket is open."""

    example = "async with api.ws(...) as websocket:"

    # A class, since the frames of a decorated generator would be in the traceback of a refusal.
    def __init__(self, connect: Callable[[], Awaitable[WebSocket]], blocks: OpenBlocks, shown: LeftOpen) -> None:
        self._blocks: Final = blocks
        self._connect: Final = connect
        self.shown = shown

    async def __aenter__(self) -> WebSocket:
        self._websocket = await self._connect()
        self._blocks.enter(self, self.shown, partial(cut, self._websocket))
        return self._websocket

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._blocks.leave(self)
        try:
            await self._websocket.close()
        except TimeoutError:
            if error is None:  # otherwise it must not replace the error that the test raised
                raise


def sharing(service: _S, connections: Connections, note: Callable[[list[LeftOpen]], None]) -> Iterator[TestClient[_S]]:
    """Yield a client that shares the connections of other clients, as the client's fixture does.

    `note` is called with the streams and websockets that were left open, if any. They are closed.
    """
    client = TestClient(service)
    # A client that users create has connections of its own.
    client._open(connections)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    try:
        yield client
    finally:
        left = client._close()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
        if left:
            note(left)


def left_open(client: TestClient[Any]) -> list[LeftOpen]:
    """Close the streams and websockets that a test has left open on a client, and return them."""
    return client._blocks.close()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - not a name for suites
