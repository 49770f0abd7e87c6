"""A small aiohttp service that answers as the client's tests ask it to."""

import asyncio
from dataclasses import dataclass, field

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from looprig.services.aiohttp import AiohttpService

__all__ = ["Shop", "User"]


class User(msgspec.Struct):
    """The type that the client decodes into."""

    id: int
    name: str


@dataclass(kw_only=True)
class Shop(AiohttpService):
    """A service that echoes requests at `/echo`, and has one more path for each test's purpose."""

    page_size: int = 20
    cancelled: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    entered: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    async def create_app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/echo", self.echo)
        app.router.add_get("/users", self.users)
        app.router.add_get("/raw", self.raw)
        app.router.add_get("/empty", self.empty)
        app.router.add_get("/move", self.move)
        app.router.add_get("/cookie", self.cookie)
        app.router.add_get("/hang", self.hang)
        app.router.add_get("/ws/{do}", self.ws)
        return app

    async def echo(self, request: web.Request) -> web.Response:
        body = await request.text()
        return web.json_response({
            "method": request.method,
            "query": list(request.query.items()),
            "type": request.content_type,
            "token": request.headers.get("X-Token", ""),
            "cookies": dict(request.cookies),
            "body": body,
        })  # fmt: skip

    async def users(self, request: web.Request) -> web.Response:
        return web.json_response([{"id": 1, "name": "ann"}], status=int(request.query.get("status", "200")))

    async def raw(self, request: web.Request) -> web.Response:
        body = bytes.fromhex(request.query["hex"])
        return web.Response(body=body, headers={"Content-Type": request.query.get("type", "text/plain")})

    async def empty(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def move(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/users?status=404")

    async def cookie(self, request: web.Request) -> web.Response:
        answer = web.Response()
        answer.set_cookie("session", "abc", path="/")
        answer.headers.add("X-Many", "1")
        answer.headers.add("X-Many", "2")
        return answer

    async def hang(self, request: web.Request) -> web.Response:
        self.entered.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        raise web.HTTPGone

    async def ws(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("chat",))
        await socket.prepare(request)
        match request.match_info["do"]:
            case "close":
                await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"come back later")
            case "drop":
                assert request.transport is not None
                request.transport.abort()
            case "hang":
                await socket.receive()
            case "deaf":
                await asyncio.Event().wait()
            case _:
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        await socket.send_str(message.data)
                    else:
                        await socket.send_bytes(message.data)
        return socket
