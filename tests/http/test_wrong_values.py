"""Wrong values are errors at the user's line, and nothing is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, ForwardRef, Literal, NewType

import aiohttp
import pytest
from multidict import CIMultiDict

from looprig.exceptions import DeclarationError
from looprig.http.client import TestClient
from looprig.http.headers import Headers
from looprig.http.response import Request, Response
from tests.http.shop import Shop, User
from tests.running import running

Values = Sequence[Any]
INF: Final = float("inf")
NAN: Final = float("nan")
NOT_TEXT: Final[Values] = (None, 5, b"x", ["x"], True)
NOT_FORMS: Final[Values] = ("User", 5, ForwardRef("User"), User(1, "x"), list["User"], dict[str, "User"], [User], print)
NOT_LIMITS: Final[Values] = ("x", -1, 0, NAN, INF, True, b"5", [5])
NOT_HEADERS: Final[Values] = (
    *(5, "A: b", ["A"], {"A": 5}, {"A": None}, {5: "b"}),
    *({"": "b"}, {"A b": "c"}, {"A": "b\r\nC: d"}, {"A": "b\0"}),
)
NOT_QUERIES: Final[Values] = (
    *(5, "a=b", b"a=b", {"a": None}, {"a": True}, {"a": NAN}, {5: "b"}, {"a": [None]}),
    *(["ab"], [("a", "b", "c")], [("a", INF)]),
)
NOT_STATUSES: Final[Values] = ("200", 2, 2000, 200.0, True, [], {"200"}, [None], range(0), b"200", {200: "OK"})
NOT_DECODERS: Final[Values] = (None, 5, "msgspec", User, b"x", print)
NOT_PATHS: Final[Values] = (
    *NOT_TEXT,
    *("http://elsewhere/", "https://127.0.0.1/", "ftp://127.0.0.1/", "http://[", "http://a:b", "ws://elsewhere/"),
)
OPTIONS: Final[dict[str, Values]] = {
    "into": NOT_FORMS,
    "status": NOT_STATUSES,
    "params": (None, *NOT_QUERIES),
    "headers": (None, *NOT_HEADERS),
    "cookies": (None, *NOT_HEADERS),
    "json": (object(), {1j}, {"a": object()}, "\ud800"),
    "data": (
        *(5, 1.5, True, object(), User, User(1, "x"), [{"a": "b"}], ["ab"], [("a", "b", "c")]),
        *({5: "a"}, {"a": {"b": 1}}, [("a", {})]),
    ),
    "files": (
        *(None, 5, b"x", "x", [b"x"], {"a": None}, {"a": 5}, {"a": []}, {"a": [b"x", b"y"]}, {5: b"x"}),
        *({"a": ()}, {"a": ("x",)}, {"a": (5, b"x")}, {"a": ("x", 5)}, {"a": ("x", b"", 5)}, {"a": ("x", b"", "", "")}),
        *({"a": ("x", b"", "t/x", {"A": 5})}, {"a": ("x", b"", "t/x", {}, 5)}, [("a", b"x", "t/x")]),
    ),
    "timeout": NOT_LIMITS,
    "allow_redirects": (None, 0, 1, "yes"),
    "statuss": (200,),
}


def with_client(use: Callable[[Any], Awaitable[None]]) -> None:
    """Use a client of a service that runs, at whose `/hang` nothing must have arrived in the end."""

    async def scenario() -> None:
        async with running(Shop()) as shop, TestClient(shop, timeout=10) as api:
            await use(api)
            assert not shop.entered.is_set()

    asyncio.run(scenario())


def refused(what: str) -> Any:
    """Expect an error about `what` that shows a line of this file."""
    return pytest.raises(DeclarationError, match=rf"(?s)^{what}.*\n  tests/http/test_wrong_values.py:\d+: ")


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "options", "head"])
def test_of_verbs(verb: str) -> None:
    async def use(api: Any) -> None:
        send = getattr(api, verb)
        for path in NOT_PATHS:
            with refused(rf"TestClient\.{verb} was given "):
                await send(path)
        for name, values in OPTIONS.items():
            for value in values if (verb, name) != ("head", "into") else ():
                with refused(rf"TestClient\.{verb} (was given |takes no {name})"):
                    await send("/hang", **{name: value})
        with refused(rf"TestClient\.{verb} was given json= and data="):
            await send("/hang", json=1, data=b"")

    with_client(use)


def test_of_any_method() -> None:
    async def use(api: Any) -> None:
        for method in (None, 5, "", "GET /", b"GET"):
            with refused(r"TestClient\.request was given method="):
                await api.request(method, "/hang")
        with refused(r"TestClient\.request was given path=None"):
            await api.request("PURGE", None)

    with_client(use)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("service", (None, 5, "http://127.0.0.1/", b"x", Shop, True)),
        ("url", (5, "", "127.0.0.1:80", "ftp://a", "http://", "http://a:x", "http://a:99999", b"http://a")),
        ("headers", NOT_HEADERS),
        ("timeout", (None, *NOT_LIMITS)),
        ("decoder", NOT_DECODERS),
    ],
)
def test_of_clients(name: str, values: Values) -> None:
    for value in values:
        arguments: dict[str, Any] = {"service": Shop(), name: value}
        with refused(f"TestClient was given {name}="):
            TestClient(**arguments)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("params", NOT_QUERIES),
        ("headers", NOT_HEADERS),
        ("protocols", (None, "chat", [5], ["a b"], [""], 5, {"chat": 1})),
        ("timeout", NOT_LIMITS),
        ("path", NOT_PATHS),
    ],
)
def test_of_websockets_to_open(name: str, values: Values) -> None:
    """Where `ws` is called, even if what it returns is never entered."""

    async def use(api: Any) -> None:
        for value in values:
            with refused(r"TestClient\.ws was given "):
                api.ws(**{"path": "/ws/echo", name: value})

    with_client(use)


def test_of_open_websockets() -> None:
    async def use(api: Any) -> None:
        async with api.ws("/ws/echo") as socket:
            for message in (None, 5, ["x"], {"a": 1}, User(1, "x")):
                with refused(r"WebSocket\.send was given message="):
                    await socket.send(message)
            for value in OPTIONS["json"]:
                with refused(r"WebSocket\.send_json was given "):
                    await socket.send_json(value)
            for form in NOT_FORMS:
                with refused(r"WebSocket\.receive was given into="):
                    await socket.receive(into=form)
            for code in (None, "1000", 5, 999, 1005, 1006, 1015, 5000, 1000.0, True):
                with refused(r"WebSocket\.close was given code="):
                    await socket.close(code=code)
            for reason in (None, 5, b"x", "x" * 124, "é" * 62):
                with refused(r"WebSocket\.close was given reason="):
                    await socket.close(reason=reason)
            await socket.send("still open")
            assert await socket.receive_text() == "still open"

    with_client(use)


def test_of_cookies() -> None:
    async def use(api: Any) -> None:
        for name in (None, 5, "", "a b", "a;b", b"a"):
            with refused(r"TestClient\.cookies was given name="):
                api.cookies[name] = "x"
        for value in (None, 5, b"x", "a\nb"):
            with refused(r"TestClient\.cookies was given value="):
                api.cookies["name"] = value
        assert dict(api.cookies) == {}

    with_client(use)


def test_of_responses() -> None:
    nothing = Headers()
    response: Any = Response(200, "OK", nothing, b"{}", "", "GET", Request("GET", "", nothing, None))
    for status in (None, *NOT_STATUSES):
        with refused(r"Response\.expect was given status="):
            response.expect(status)
    for form in NOT_FORMS:
        with refused(r"Response\.decode was given into="):
            response.decode(form)
    for decoder in NOT_DECODERS:
        with refused(r"Response\.decode was given decoder="):
            response.decode(dict, decoder=decoder)


UserId = NewType("UserId", int)


@pytest.mark.parametrize(
    "form",
    [
        None,
        Any,
        int | None,
        list[User] | None,
        Literal["x"],
        Annotated[int, "text"],
        UserId,
        dict[str, Any],
        tuple[int, ...],
    ],
    ids=str,
)
def test_each_type_is_a_type(form: Any) -> None:
    async def use(api: Any) -> None:
        with pytest.raises(AssertionError):  # JSON, but of none of these types
            await api.get("/echo", into=form, status=404)

    with_client(use)


async def stream() -> Any:
    yield b"x"


@pytest.mark.parametrize(
    "options",
    [
        {"params": {"a": [1, "b"], "c": 1.5}},
        {"params": [("a", 1), ("a", "2")]},
        {"headers": CIMultiDict([("A", "b"), ("A", "c")])},
        {"cookies": {"a": "b"}},
        {"data": None},
        {"data": {"a": 1}},
        {"data": [("a", "b")]},
        {"data": aiohttp.FormData({"a": "b"})},
        {"timeout": None},
        {"timeout": 1},
        {"allow_redirects": False},
        {"status": {200, 404}},
        {"status": range(200, 300)},
    ],
)
def test_right_values_are_accepted(options: dict[str, Any]) -> None:
    async def use(api: Any) -> None:
        await api.post("/echo", **options)
        await api.get(f"{api.url}/echo")
        await api.post("/echo", data=stream())

    with_client(use)
