"""The client as mypy and pyright see it; nothing here runs. A stale ignore fails (`warn_unused_ignores`)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, TextIO, TypeVar, assert_type

from aiohttp import web

from looprig.http import Cookies, HasUrl, Headers, Response, ServerSentEvent, StreamedResponse, TestClient, WebSocket
from looprig.net.ports import HeldPort, hold_port
from looprig.runtime.ask import ask
from looprig.runtime.eventually import eventually
from looprig.services.aiohttp import AiohttpService

T = TypeVar("T")


@dataclass
class User:
    """A type to decode into."""

    id: int


@dataclass(kw_only=True)
class Rest(AiohttpService):
    """A service with a client."""

    page_size: int = 20

    async def create_app(self) -> web.Application:
        return web.Application()


async def what_a_verb_gives(api: TestClient[Rest]) -> None:
    assert_type(await api.get("/"), Response)
    assert_type(await api.get("/", status=200), Response)
    assert_type(await api.get("/", into=Response), Response)
    assert_type(await api.get("/", into=User), User)
    assert_type(await api.post("/", into=list[User], status=HTTPStatus.CREATED), list[User])
    assert_type(await api.put("/", into=User | None, status=range(200, 300)), User | None)
    assert_type(await api.patch("/", into=dict[str, int | None], status={200, 404}), dict[str, int | None])
    assert_type(await api.delete("/", into=User, json=User(1), params={"a": 1}, timeout=None), User)
    assert_type(await api.options("/"), Response)
    assert_type(await api.head("/", allow_redirects=False), Response)
    assert_type(await api.request("REPORT", "/", into=tuple[User, int]), tuple[User, int])
    assert_type((await api.get("/")).decode(list[User]), list[User])
    users: list[User] = await api.get("/", into=list[User])
    del users


async def what_a_verb_refuses(api: TestClient[Rest]) -> None:
    await api.get("/", status="200")  # type: ignore[arg-type]
    await api.get("/", into=User(1))  # type: ignore[call-overload]
    await api.get("/", header={"a": "b"})  # type: ignore[call-overload]
    await api.get("/", headers={"a": 1})  # type: ignore[dict-item]
    await api.head("/", into=User)  # type: ignore[call-arg]
    await api.get("/", into="User(")  # type: ignore[call-overload]
    wrong: list[int] = await api.get("/", into=list[User])  # type: ignore[arg-type]
    del wrong


async def what_a_verb_gives_without_into(api: TestClient[Rest]) -> User:
    """A `Response`, whatever its result is assigned to."""
    user: User = await api.get("/user")  # type: ignore[assignment]
    user = await api.request("GET", "/user")  # type: ignore[assignment]
    user = await api.post("/user", json=user)  # type: ignore[assignment]
    user = await api.put("/user", json=user)  # type: ignore[assignment]
    user = await api.patch("/user", json=user)  # type: ignore[assignment]
    user = await api.delete("/user", timeout=1)  # type: ignore[assignment]
    user = await api.options("/user", status=200)  # type: ignore[assignment]
    async with api.ws("/") as socket:
        user = await socket.receive()  # type: ignore[assignment]
    return await api.get("/user", status=200)  # type: ignore[return-value]


async def what_asking_gives() -> None:
    assert_type(await ask(TestClient[Rest]), TestClient[Rest])


async def what_a_wrapper_gives(api: TestClient[Rest], into: type[T]) -> T:
    return await api.get("/", into=into)


async def what_a_websocket_gives(api: TestClient[Rest]) -> None:
    async with api.ws("/", protocols=["chat"], timeout=1) as socket:
        assert_type(socket, WebSocket)
        assert_type(await socket.receive(), str | bytes)
        assert_type(await socket.receive(into=User | None), User | None)
        assert_type(await socket.receive_text(), str)
        assert_type(await socket.receive_bytes(), bytes)
        assert_type(await socket.wait_closed(), int)
        assert_type(socket.close_code, int | None)
        await socket.send(1)  # type: ignore[arg-type]


async def what_a_form_takes(api: TestClient[Rest], opened: BinaryIO, text: TextIO) -> None:
    await api.post("/", files={"a": b"x", "b": opened, "c": ("c.txt", "x", "text/plain"), "d": ("d", opened)})
    await api.put("/", files=[("a", (None, "x")), ("a", ("a", opened, None, {"X-A": "b"}))], data={"a": ["1", 2]})
    await api.post("/", files={"a": text})  # type: ignore[dict-item]
    await api.post("/", files={"a": [b"x", b"y"]})  # type: ignore[dict-item]
    await api.post("/", files={"a": ("a", 5)})  # type: ignore[dict-item]


async def what_a_stream_gives(api: TestClient[Rest]) -> None:
    async with api.stream("GET", "/", status={200, 206}, params={"a": 1}, timeout=None) as response:
        assert_type(response, StreamedResponse)
        assert_type(response.status, int)
        assert_type(response.headers, Headers)
        assert_type(response.iter_bytes(), AsyncIterator[bytes])
        assert_type(response.iter_lines(), AsyncIterator[str])
        assert_type(response.iter_lines(into=User | None), AsyncIterator[User | None])
        async for event in response.iter_events():
            assert_type(event, ServerSentEvent)
            assert_type(event.decode(list[User]), list[User])
        async for user in response.iter_events(into=User):
            assert_type(user, User)
        assert_type(await anext(response.iter_events(into=User)), User)
        assert_type(await response.read(), bytes)


async def what_a_stream_refuses(api: TestClient[Rest]) -> None:
    api.stream("GET", "/", into=User)  # type: ignore[call-arg]
    api.stream("GET", "/", header={"a": "b"})  # type: ignore[call-arg]
    async with api.stream("GET", "/") as response:
        response.iter_events(into=User(1))  # type: ignore[call-overload]
        response.iter_lines(int)  # type: ignore[call-overload]
        wrong: AsyncIterator[int] = response.iter_lines()  # type: ignore[assignment]
        del wrong


async def what_eventually_takes() -> None:
    async for attempt in eventually(timeout=1, retry_on=(OSError, ValueError)):
        with attempt:
            assert_type(attempt.number, int)
    for _ in eventually(retry_on=OSError):
        pass
    eventually(print)  # type: ignore[arg-type]
    eventually(retry_on=5)  # type: ignore[arg-type]
    await eventually()  # type: ignore[misc]


async def what_a_client_has(api: TestClient[Rest]) -> None:
    assert_type(api.service, Rest)
    assert_type(api.service.page_size, int)
    assert_type(api.cookies, Cookies)
    async with TestClient(api.service) as other:
        assert_type(other, TestClient[Rest])


def what_a_client_takes(api: TestClient[Rest]) -> None:
    @dataclass
    class Remote:
        """A service of any kind with a `url`, here a field."""

        url: str

    @dataclass
    class Silent:
        """A service with neither a `url` nor the path of a Unix socket."""

        address: int

    as_any_service: TestClient[HasUrl] = api
    assert_type(TestClient(Remote("http://h")), TestClient[Remote])
    TestClient(Silent(5))  # type: ignore[type-var]
    Rest(page_size="20")  # type: ignore[arg-type]
    Rest(host=1)  # type: ignore[arg-type]
    assert_type(Rest().host, str)
    assert_type(hold_port(), HeldPort)
    del as_any_service


class Unfinished(AiohttpService):
    """A service without `create_app`."""


def what_a_service_needs() -> AiohttpService:
    return Unfinished()  # type: ignore[abstract]
