"""A typed HTTP client for one service under test, over a real socket.

It takes its base URL from the service, so any service with a `url` can be tested with it, and its session from
aiohttp, which is imported when the client is opened: loading this module loads no HTTP library.

Does not start the service, and does not retry: what a test asks is asked once.

Invariants:
1. Every response is fully read before it is given, so nothing of it is left open.
2. One client has one cookie jar; two clients of a service are two users.
3. No request is without a time limit.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from types import TracebackType
from typing import ClassVar, Final, Generic, Protocol, Self, cast, final

from typing_extensions import TypeForm, TypeVar, Unpack

from looprig.exceptions import LooprigError
from looprig.http.connections import Connections
from looprig.http.cookies import Cookies
from looprig.http.decode import DEFAULT_DECODER, Decoder
from looprig.http.response import Response
from looprig.http.session import RequestOptions, Session
from looprig.http.websocket import WebSocket

__all__ = ["HasUrl", "RequestOptions", "TestClient"]


class HasUrl(Protocol):
    """What a service needs for a `TestClient`: a base URL, known once it has started."""

    @property
    def url(self) -> str:
        """Scheme, host, port, and a path prefix if there is one: `http://127.0.0.1:8080/api`."""
        ...


_ServiceT = TypeVar("_ServiceT", bound=HasUrl, covariant=True)  # noqa: PLC0105 - S in the docs, for service
_S = TypeVar("_S", bound=HasUrl)
_T = TypeVar("_T", default=Response)

_SUCCESS: Final = range(200, 300)
__tracebackhide__: Final = True  # pytest shows a failure where the test asked, not in here


@final
class TestClient(Generic[_ServiceT]):
    """Asks one service over HTTP, and gives typed answers.

    Every verb takes the path below the service's URL, and by keyword:

    - `into`: a type to decode the JSON body into. Without it the whole `Response` is given.
    - `status`: the status that is expected, or several. Without it any is taken, but with `into` a 2xx is.
    - `params`, `headers`, `cookies`, `json`, `data`, `timeout`, `allow_redirects`: see `RequestOptions`.

    Raises `UnexpectedResponseError`, an `AssertionError` that shows request, status and body, where the answer is
    not as expected; `TimeoutError`, and aiohttp's `ClientError` where the connection fails.

        async with TestClient(rest) as api:
            users = await api.get("/users", into=list[User], status=200)
            refused = await api.post("/users", json={"name": ""}, status=422)

    `url` asks another address than the service's own, say a proxy before it. `timeout` is the limit of each
    request in seconds; `headers` go with every request.
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
        self.service: Final = service
        self._decoder = decoder
        self._headers = dict(headers or {})
        self._session: Session | None = None
        self._own: Connections | None = None
        self._state = "is not open yet"
        self._timeout = timeout
        self._url = url

    @property
    def url(self) -> str:
        """The base URL that paths are put after."""
        return self._url if self._url is not None else self.service.url

    @property
    def cookies(self) -> Cookies:
        """The cookies this client keeps, to be read, set and deleted by name."""
        return self._opened().cookies

    async def request(
        self,
        method: str,
        path: str,
        *,
        into: TypeForm[_T] = Response,  # type: ignore[assignment]  # PEP 696: T is Response with no into=
        status: int | Collection[int] | None = None,
        **options: Unpack[RequestOptions],
    ) -> _T:
        """Send a request of any method; see the class for what it takes, gives and raises."""
        response = await self._opened().request(method, path, options)
        whole = cast("object", into) is Response
        expected = _SUCCESS if status is None and not whole else status
        if expected is not None:
            response.expect(expected)
        return cast("_T", response) if whole else response.decode(into, decoder=self._decoder)

    async def get(
        self,
        path: str,
        *,
        into: TypeForm[_T] = Response,  # type: ignore[assignment]  # as in request
        status: int | Collection[int] | None = None,
        **options: Unpack[RequestOptions],
    ) -> _T:
        """Send a GET."""
        return await self.request("GET", path, into=into, status=status, **options)

    async def post(
        self,
        path: str,
        *,
        into: TypeForm[_T] = Response,  # type: ignore[assignment]  # as in request
        status: int | Collection[int] | None = None,
        **options: Unpack[RequestOptions],
    ) -> _T:
        """Send a POST."""
        return await self.request("POST", path, into=into, status=status, **options)

    async def put(
        self,
        path: str,
        *,
        into: TypeForm[_T] = Response,  # type: ignore[assignment]  # as in request
        status: int | Collection[int] | None = None,
        **options: Unpack[RequestOptions],
    ) -> _T:
        """Send a PUT."""
        return await self.request("PUT", path, into=into, status=status, **options)

    async def patch(
        self,
        path: str,
        *,
        into: TypeForm[_T] = Response,  # type: ignore[assignment]  # as in request
        status: int | Collection[int] | None = None,
        **options: Unpack[RequestOptions],
    ) -> _T:
        """Send a PATCH."""
        return await self.request("PATCH", path, into=into, status=status, **options)

    async def delete(
        self,
        path: str,
        *,
        into: TypeForm[_T] = Response,  # type: ignore[assignment]  # as in request
        status: int | Collection[int] | None = None,
        **options: Unpack[RequestOptions],
    ) -> _T:
        """Send a DELETE."""
        return await self.request("DELETE", path, into=into, status=status, **options)

    async def head(
        self,
        path: str,
        *,
        status: int | Collection[int] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Send a HEAD, whose answer has no body to decode. Follows redirects, as the other verbs do."""
        return await self.request("HEAD", path, status=status, **options)

    async def options(
        self,
        path: str,
        *,
        into: TypeForm[_T] = Response,  # type: ignore[assignment]  # as in request
        status: int | Collection[int] | None = None,
        **options: Unpack[RequestOptions],
    ) -> _T:
        """Send an OPTIONS."""
        return await self.request("OPTIONS", path, into=into, status=status, **options)

    def ws(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        protocols: Sequence[str] = (),
        timeout: float | None = None,
    ) -> AbstractAsyncContextManager[WebSocket]:
        """Open a websocket for the length of a block; `timeout` limits, in seconds, each wait on it.

        Raises `UnexpectedResponseError` where the service does not agree to open one.

            async with api.ws("/chat") as chat:
                await chat.send_json(Join(room="a"))
                assert await chat.receive(into=Joined) == Joined(room="a")
        """
        limit = self._timeout if timeout is None else timeout
        return self._websocket(path, params or {}, headers or {}, protocols, limit)

    @asynccontextmanager
    async def _websocket(
        self,
        path: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        protocols: Sequence[str],
        limit: float,
    ) -> AsyncGenerator[WebSocket, None]:
        connection, url = await self._opened().websocket(path, params, headers, protocols, limit)
        websocket = WebSocket(connection, url, timeout=limit, decoder=self._decoder)
        try:
            yield websocket
        except BaseException:
            with suppress(TimeoutError):  # what the test raised is what is to be seen
                await websocket.close()
            raise
        await websocket.close()

    async def __aenter__(self) -> Self:
        tls = getattr(self.service, "client_tls", None)
        self._base_url()  # told before anything is opened
        connections = Connections(asyncio.get_running_loop(), tls)
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
            raise LooprigError(f"{self!r} is open already.", (), "Open it once, or make one client for each user.")
        self._session = Session(self._base_url(), self._headers, self._timeout, connections)

    def _close(self) -> None:
        session, self._session = self._session, None
        self._state = "is closed"
        if session is not None:
            session.close()

    def __repr__(self) -> str:
        return f"<TestClient of {type(self.service).__qualname__}>"

    def _base_url(self) -> str:
        try:
            url = cast("object", self.url)  # whose annotation nobody checked
        except AttributeError as error:
            if error.obj is not self.service or error.name != "url":  # its `url` is there, and fails
                raise
            url = None
        if isinstance(url, str) and url.startswith(("http://", "https://")):
            return url
        raise LooprigError(
            f"{self!r} has no http:// or https:// address to ask; its url is {url!r}.",
            (),
            "Give the service a `url` property, or the client url=.",
        )

    def _opened(self) -> Session:
        if self._session is not None:
            return self._session
        raise LooprigError(
            f"{self!r} {self._state}, so nothing can be asked of it.",
            (),
            "Use it inside `async with TestClient(service) as client:`, or take it from its fixture.",
        )


@contextmanager
def sharing(service: _S, connections: Connections) -> Generator[TestClient[_S], None, None]:
    """A client with the connections of others; what its fixture gives."""
    client = TestClient(service)
    # In public, a client has connections of its own.
    client._open(connections)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    try:
        yield client
    finally:
        client._close()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
