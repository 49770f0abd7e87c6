"""An aiohttp service that streams, as far as the test lets it."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from looprig.services.aiohttp import AiohttpService

__all__ = ["Feed"]


@dataclass(kw_only=True)
class Feed(AiohttpService):
    """A service that sends the pieces of a script, and whatever else a test asks for."""

    script: tuple[bytes | str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict[str, str])
    go_on: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    async def create_app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/feed", self.feed)
        app.router.add_get("/moved", self.moved)
        app.router.add_get("/port", self.whence)
        app.router.add_get("/hang", self.hang)
        return app

    async def moved(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/feed")

    async def whence(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        return web.json_response(request.transport.get_extra_info("peername")[1])

    async def hang(self, request: web.Request) -> web.Response:
        await self.go_on.wait()
        return web.Response()

    async def feed(self, request: web.Request) -> web.StreamResponse:
        """Send each piece of the script. A word is an action."""
        response = web.StreamResponse(status=int(request.query.get("status", "200")), headers=self.headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            for piece in self.script:
                match piece:
                    case bytes():
                        await response.write(piece)
                    case "wait":
                        await self.go_on.wait()
                    case "ping":
                        while True:
                            await response.write(b": ping\n")
                            await asyncio.sleep(0.01)
                    case _:
                        assert request.transport is not None
                        request.transport.abort()
        finally:
            self.ended.set()
        return response
