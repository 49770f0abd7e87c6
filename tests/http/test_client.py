"""The client over a real socket: what it sends, what it returns, and its errors."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import pydantic
import pytest
from aiohttp import web

from looprig.exceptions import DeclarationError, LooprigError, UnexpectedResponseError
from looprig.http import Response, TestClient
from tests.http.shop import Shop, User
from tests.running import running

Asks = Callable[[TestClient[Shop]], Awaitable[None]]


def ask(asks: Asks, *, timeout: float = 30.0) -> None:
    """Run the service and a client for it, for the length of one test."""

    async def scenario() -> None:
        async with running(Shop()) as shop, TestClient(shop, timeout=timeout, headers={"X-Token": "t"}) as api:
            await asks(api)

    asyncio.run(scenario())


class Echo(pydantic.BaseModel):
    """The report of `/echo` about a request."""

    method: str
    query: list[list[str]]
    type: str
    token: str
    cookies: dict[str, str]
    body: str


@dataclass
class Point:
    """A dataclass to send."""

    x: int


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "options"])
def test_every_verb_sends_its_method_and_decodes(verb: str) -> None:
    """Each has one signature; `request` takes any method."""

    async def asks(api: TestClient[Shop]) -> None:
        echo = await getattr(api, verb)("/echo", into=Echo, params=[("a", 1), ("a", 2)])
        assert (echo.method, echo.query) == (verb.upper(), [["a", "1"], ["a", "2"]])
        assert (await api.request("REPORT", "/echo", into=Echo)).method == "REPORT"

    ask(asks)


def test_head_gives_the_response_without_a_body() -> None:
    """The response to a HEAD has nothing to decode."""

    async def asks(api: TestClient[Shop]) -> None:
        answer = await api.head("/users", status=200)
        assert (answer.body, answer.method, answer.content_type) == (b"", "HEAD", "application/json")

    ask(asks)


def test_without_into_the_whole_response_is_given_whatever_its_status() -> None:
    """It is fully read, so it can be used after the connection is closed."""

    async def asks(api: TestClient[Shop]) -> None:
        answer = await api.get("/users", params={"status": "404"})
        assert type(answer) is Response
        assert (answer.status, answer.reason, answer.ok) == (404, "Not Found", False)
        assert answer.url == f"{api.service.url}/users?status=404"
        assert answer.json() == [{"id": 1, "name": "ann"}]
        assert answer.text == '[{"id": 1, "name": "ann"}]'
        assert answer.decode(list[User]) == [User(1, "ann")]

    ask(asks)


def test_into_decodes_unions_lists_and_none() -> None:
    """`into` accepts any type, not only classes."""

    async def asks(api: TestClient[Shop]) -> None:
        assert await api.get("/users", into=list[User] | None) == [User(1, "ann")]
        assert await api.get("/empty", into=None) is None  # type: ignore[func-returns-value]

    ask(asks)


def test_repeated_headers_are_all_there() -> None:
    """A plain mapping would keep only one of them."""

    async def asks(api: TestClient[Shop]) -> None:
        answer = await api.get("/cookie")
        assert answer.headers.get_all("x-many") == ("1", "2")

    ask(asks)


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        pytest.param({"a": [1]}, '{"a":[1]}', id="plain"),
        pytest.param(User(1, "ann"), '{"id":1,"name":"ann"}', id="struct"),
        pytest.param([Point(1)], '[{"x":1}]', id="dataclass"),
        pytest.param({"m": Echo.model_construct(method="X")}, '{"m":{"method":"X"}}', id="pydantic"),
        pytest.param(None, "null", id="null"),
    ],
)
def test_json_takes_structs_dataclasses_and_models(sent: object, body: str) -> None:
    """Nested in each other, too; `json=None` sends null."""

    async def asks(api: TestClient[Shop]) -> None:
        echo = await api.post("/echo", json=sent, into=Echo)
        assert (echo.body, echo.type) == (body, "application/json")

    ask(asks)


@pytest.mark.parametrize(
    ("sent", "body", "kind"),
    [
        pytest.param("text", "text", "text/plain", id="text"),
        pytest.param(b"raw", "raw", "application/octet-stream", id="bytes"),
        pytest.param({"a": "1"}, "a=1", "application/x-www-form-urlencoded", id="form"),
    ],
)
def test_data_is_a_raw_body_or_a_form(sent: object, body: str, kind: str) -> None:
    """As in aiohttp."""

    async def asks(api: TestClient[Shop]) -> None:
        echo = await api.post("/echo", data=sent, into=Echo)
        assert (echo.body, echo.type) == (body, kind)

    ask(asks)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param("text", b"text", id="text"),
        pytest.param(b"raw", b"raw", id="bytes"),
        pytest.param(bytearray(b"raw"), b"raw", id="bytearray"),
        pytest.param(memoryview(b"raw"), b"raw", id="memoryview"),
        pytest.param({"a": "1 2", "b": 3}, b"a=1+2&b=3", id="form"),
        pytest.param({"a": "1", "b": io.BytesIO(b"raw")}, None, id="form with a file"),
        pytest.param(io.BytesIO(b"raw"), None, id="stream"),
    ],
)
def test_a_response_has_the_body_that_was_sent_unless_that_was_a_stream(sent: object, kept: bytes | None) -> None:
    async def asks(api: TestClient[Shop]) -> None:
        response = await api.post("/echo", data=sent, status=200)
        assert response.request.body == kept

    ask(asks)


def test_a_request_with_two_bodies_is_refused() -> None:
    """It would be unclear which of them was meant."""

    async def asks(api: TestClient[Shop]) -> None:
        with pytest.raises(DeclarationError, match="Pass json= or data=, not both"):
            await api.post("/echo", json=1, data=b"1")
        echo = await api.post("/echo", json=1, headers={"content-type": "application/vnd.api+json"}, into=Echo)
        assert echo.type == "application/vnd.api+json"

    ask(asks)


def test_the_clients_headers_go_with_every_request_and_a_requests_own_win() -> None:
    """A request's headers override those of the client."""

    async def asks(api: TestClient[Shop]) -> None:
        assert (await api.get("/echo", into=Echo)).token == "t"
        assert (await api.get("/echo", headers={"X-Token": "u"}, into=Echo)).token == "u"

    ask(asks)


def test_cookies_are_kept_for_one_client() -> None:
    """On an IP address too, for which a jar rejects cookies by default. Other clients don't get them."""

    async def asks(api: TestClient[Shop]) -> None:
        await api.get("/cookie")
        assert dict(api.cookies) == {"session": "abc"}
        api.cookies["lang"] = "nl"
        echo = await api.get("/echo", cookies={"once": "1"}, into=Echo)
        assert echo.cookies == {"session": "abc", "lang": "nl", "once": "1"}
        del api.cookies["session"]
        assert (await api.get("/echo", into=Echo)).cookies == {"lang": "nl"}
        assert repr(api.cookies) == "Cookies({'lang': 'nl'})"
        with pytest.raises(KeyError):
            del api.cookies["session"]
        async with TestClient(api.service) as other:
            assert len(other.cookies) == 0

    ask(asks)


def test_an_unexpected_status_shows_request_status_and_body() -> None:
    """It is an AssertionError, since it is the test that fails."""

    async def asks(api: TestClient[Shop]) -> None:
        with pytest.raises(UnexpectedResponseError) as raised:
            await api.get("/users", params={"status": 404}, headers={"Authorization": "Bearer secret"}, status=200)
        assert isinstance(raised.value, AssertionError)
        assert str(raised.value) == (
            f"GET {api.url}/users?status=404 answered 404 Not Found, expected 200.\n"
            "  > X-Token: t\n"
            "  > Authorization: Bearer (not shown)\n"
            "  < Content-Type: application/json; charset=utf-8\n"
            '  < [{"id": 1, "name": "ann"}]'
        )

    ask(asks)


def test_a_body_was_asked_for_so_a_2xx_is_expected() -> None:
    """With `into` and without `status`; the error shows the redirect too."""

    async def asks(api: TestClient[Shop]) -> None:
        with pytest.raises(UnexpectedResponseError) as raised:
            await api.get("/move", into=list[User])
        assert str(raised.value).splitlines()[0] == (
            f"GET {api.url}/move -> GET {api.url}/users?status=404 answered 404 Not Found, expected 200 to 299."
        )
        answer = await api.get("/move", allow_redirects=False, status={301, 302})
        assert answer.headers["Location"] == "/users?status=404"
        assert await api.get("/users?status=404", into=list[User], status=404) == [User(1, "ann")]

    ask(asks)


def test_a_body_that_does_not_decode_is_told_with_type_fault_and_body() -> None:
    """Errors of msgspec and pydantic have the same wording."""

    async def asks(api: TestClient[Shop]) -> None:
        with pytest.raises(UnexpectedResponseError) as by_msgspec:
            await api.get("/users", into=dict[str, User])
        assert str(by_msgspec.value).splitlines()[0] == (
            f"GET {api.url}/users answered 200 OK, but its body does not decode into dict[str, User]: "
            "Expected `object`, got `array`."
        )
        with pytest.raises(UnexpectedResponseError) as by_pydantic:
            await api.post("/users", into=list[Echo], status=range(200, 500))
        assert "405 Method Not Allowed, but its body does not decode into list[Echo]: " in str(by_pydantic.value)
        assert "  < 405: Method Not Allowed" in str(by_pydantic.value)

    ask(asks)


def test_a_request_has_a_time_limit_that_names_it() -> None:
    """The client's or the request's; aiohttp's own error has no text."""

    async def asks(api: TestClient[Shop]) -> None:
        with pytest.raises(TimeoutError, match=r"GET http://.*/hang: no complete response within 0\.05 s"):
            await api.get("/hang")
        with pytest.raises(TimeoutError, match=r"no complete response within 0\.01 s"):
            await api.get("/hang", timeout=0.01)
        await asyncio.wait_for(api.service.cancelled.wait(), 10)  # the service noticed that the client left

    ask(asks, timeout=0.05)


def test_a_refused_connection_names_the_request() -> None:
    """The error is still aiohttp's, so that a test can expect it."""

    async def scenario() -> None:
        async with running(Shop()) as shop:
            api = TestClient(shop, url=shop.url)
            await api.__aenter__()
        with pytest.raises(aiohttp.ClientConnectionError) as raised:
            await api.get("/users")
        assert raised.value.__notes__ == [f"The request was GET {api.url}/users."]
        await api.__aexit__(None, None, None)

    asyncio.run(scenario())


def test_paths_are_put_after_the_base_url() -> None:
    """A prefix in the base URL is kept; an absolute URL is used as it is."""

    async def asks(api: TestClient[Shop]) -> None:
        async with TestClient(api.service, url=f"{api.url}/users/") as users:
            assert (await users.get("")).status == 200
            assert (await users.get("?status=418")).status == 404  # below the prefix
            assert (await users.get(f"{api.url}/empty")).status == 204
        assert (await api.get("users")).status == 200

    ask(asks)


def test_a_client_that_is_not_open_says_so() -> None:
    """Before opening, after closing, and when it is opened twice."""
    api = TestClient(Shop())

    async def scenario() -> None:
        with pytest.raises(LooprigError, match="<TestClient of Shop> is not open yet, so it cannot send requests"):
            await api.get("/users")
        with pytest.raises(LooprigError, match="Shop is not running, so it has no address"):
            await api.__aenter__()
        async with running(api.service), api:
            with pytest.raises(LooprigError, match="is already open"):
                await api.__aenter__()
        with pytest.raises(LooprigError, match="<TestClient of Shop> is closed"):
            _ = api.cookies

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["localhost:80", "ftp://localhost", "", 80])
def test_a_base_url_that_is_none_is_told(url: Any) -> None:
    """Before anything is sent."""

    @dataclass
    class Odd:
        """A service of any kind with a `url`."""

        url: str

    async def scenario() -> None:
        with pytest.raises(LooprigError, match=f"no http:// or https:// address to connect to; its url is {url!r}"):
            await TestClient(Odd(url)).__aenter__()

    asyncio.run(scenario())


def test_a_class_and_an_application_are_told_how_to_get_a_client() -> None:
    with pytest.raises(DeclarationError, match=r"annotate a parameter with TestClient\[Rest\]; elsewhere, start one"):
        TestClient(cast("Any", Shop))

    async def scenario() -> None:
        app = cast("Any", web.Application())
        with pytest.raises(LooprigError, match="return it from `create_app` of an AsgiService or AiohttpService"):
            await TestClient(app).__aenter__()

    asyncio.run(scenario())


def test_a_service_without_a_url_is_told() -> None:
    """Type checkers report it first; the error says what to do. An error inside `url` isn't changed."""

    class Mute:
        """A service without an address."""

    class Broken:
        """A service whose address raises."""

        @property
        def url(self) -> str:
            return self.adress  # type: ignore[attr-defined, no-any-return]

    async def scenario() -> None:
        with pytest.raises(LooprigError, match=r"Mute> has no http.* its url is None"):
            await TestClient(Mute()).__aenter__()  # type: ignore[type-var]
        with pytest.raises(AttributeError, match="adress"):
            await TestClient(Broken()).__aenter__()

    asyncio.run(scenario())


def test_a_failure_is_shown_where_the_test_asked() -> None:
    """The frames above it in the traceback belong to the client."""

    async def asks(api: TestClient[Shop]) -> None:
        with pytest.raises(UnexpectedResponseError) as raised:
            await api.get("/users", into=list[User], status=201)
        shown = raised.traceback.filter(raised)
        assert [str(entry.path) for entry in shown] == [__file__]

    ask(asks)


def test_pytest_does_not_collect_the_client() -> None:
    """Although its name starts with Test."""
    assert TestClient.__test__ is False


def test_an_option_that_there_is_not_is_told() -> None:
    async def asks(api: TestClient[Shop]) -> None:
        anything: Any = api
        with pytest.raises(DeclarationError, match=r"TestClient\.get takes no headrs, statuss"):
            await anything.get("/empty", headrs={}, statuss=404)

    ask(asks)
