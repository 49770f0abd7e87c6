"""A service whose application has the lifespan that a test gives it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from looprig.declare.service import service_fixture
from looprig.services.asgi import AsgiApp, AsgiService

__all__ = ["Live", "Mode", "Service", "modes"]

Live = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[str], Awaitable[None]]], Awaitable[None]]
Mode = Literal["auto", "on"]

modes = pytest.mark.parametrize("mode", ["auto", "on"])


@service_fixture
@dataclass(kw_only=True)
class Service(AsgiService):
    """A service whose application does in its lifespan what it is given, and answers with its state."""

    live: Live

    async def create_app(self) -> AsgiApp:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def say(what: str, message: str = "") -> None:
                await send({"type": f"lifespan.{what}", "message": message})

            if scope["type"] == "lifespan":
                await self.live(scope, receive, say)
                return
            body = json.dumps(scope["state"]).encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        return app
