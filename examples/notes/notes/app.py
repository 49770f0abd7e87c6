"""The REST service: its routes, and the storage and feed that live as long as it does."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from notes.feed import Events, Feed
from notes.models import Added, NewNote, Page, Problem
from notes.storage import Storage, open_storage
from notes.sweeper import Sweeper

FEED: Final = web.AppKey("feed", Feed)
PAGE_SIZE: Final = web.AppKey("page_size", int)
STORAGE: Final = web.AppKey[Storage]("storage")

routes = web.RouteTableDef()


def make_app(dsn: str, *, page_size: int = 50, sweep_interval: float = 1.0) -> web.Application:
    """Create the app on a database; `open_storage` explains `dsn`. `sweep_interval` is in seconds."""

    async def resources(app: web.Application) -> AsyncIterator[None]:
        async with open_storage(dsn) as storage:
            app[STORAGE] = storage
            sweeper = Sweeper(storage=storage, feed=app[FEED], interval=sweep_interval)
            await sweeper.start()
            yield
            await sweeper.stop()

    async def end_feed(app: web.Application) -> None:
        app[FEED].publish(None)

    app = web.Application(middlewares=[tell_problems])
    app[FEED] = Feed()
    app[PAGE_SIZE] = page_size
    app.cleanup_ctx.append(resources)
    app.on_shutdown.append(end_feed)
    app.add_routes(routes)
    return app


@routes.post("/notes")
async def add_note(request: web.Request) -> web.Response:
    """Add a note, and publish it on the feed."""
    new = msgspec.json.decode(await request.read(), type=NewNote)
    expires_at = None if new.lifetime is None else time.time() + new.lifetime
    note = await request.app[STORAGE].add(new.text, expires_at=expires_at)
    request.app[FEED].publish(Added(note))
    return as_json(note, status=201)


@routes.get("/notes")
async def list_notes(request: web.Request) -> web.Response:
    """Return a page of notes."""
    after = msgspec.convert(request.query.get("after", 0), int, strict=False)
    size = request.app[PAGE_SIZE]
    notes = await request.app[STORAGE].page(after=after, limit=size + 1)  # one more, to see if there is a next page
    return as_json(Page(notes[:size], next=notes[size - 1].id if len(notes) > size else None))


@routes.get(r"/notes/{id:\d+}")
async def get_note(request: web.Request) -> web.Response:
    """Return one note."""
    note = await request.app[STORAGE].get(int(request.match_info["id"]))
    if note is None:
        raise web.HTTPNotFound
    return as_json(note)


@routes.delete(r"/notes/{id:\d+}")
async def delete_note(request: web.Request) -> web.Response:
    """Delete one note."""
    if not await request.app[STORAGE].delete(int(request.match_info["id"])):
        raise web.HTTPNotFound
    return web.Response(status=204)


@routes.get("/feed")
async def follow_feed(request: web.Request) -> web.WebSocketResponse:
    """Send every event from now on."""
    socket = web.WebSocketResponse()
    with request.app[FEED].listen() as events:  # before the handshake, so that a connected client misses nothing
        await socket.prepare(request)
        sending = asyncio.create_task(send_events(socket, events))
        try:
            async for _ in socket:  # ends when the client leaves
                pass
        finally:
            sending.cancel()
    return socket


async def send_events(socket: web.WebSocketResponse, events: Events) -> None:
    """Send events until the last one, then close the websocket."""
    while (event := await events.get()) is not None:
        await socket.send_str(msgspec.json.encode(event).decode())
    await socket.close(code=1001, message=b"the service stops")


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a JSON response that gives the reason."""
    try:
        return await handler(request)
    except msgspec.DecodeError as error:  # including its subclass ValidationError
        return as_json(Problem(str(error)), status=400)
    except web.HTTPClientError as error:
        return as_json(Problem(f"{request.method} {request.path}: {error.reason}"), status=error.status)


def as_json(value: object, *, status: int = 200) -> web.Response:
    """Return a response with a value as its JSON body."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
