"""An ASGI application under test (Starlette, FastAPI, Litestar, Django ...), served by uvicorn on a real socket.

uvicorn is imported when the service starts; loading this module does not load it.

Does not report exceptions of requests: uvicorn answers with a 500 and logs them. Does not handle signals. Runs the
application's lifespan itself (`lifespan`), not through uvicorn.

Invariants:
1. The port is bound before `create_app` is called, so that the application can know its own address.
2. The application's lifespan begins before the service is ready, and ends before the service has stopped.
3. After `run` has ended, no request is running: each had `shutdown_timeout` to finish, and was then cancelled. One that
   swallows its cancellation is reported.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from socket import socket
from typing import Any, ClassVar, Final, Literal

from looprig._extras import import_extra
from looprig.declare.fields_meta import config_field
from looprig.declare.values import SECONDS, Check, one_of
from looprig.exceptions import ServiceStartError
from looprig.location import Location, location_of
from looprig.runtime.tasks import STARTED_DURING, hidden
from looprig.services.address import bound_address, running_test
from looprig.services.handlers import stuck_handlers
from looprig.services.hooks import awaitable
from looprig.services.in_flight import InFlight
from looprig.services.lifespan import Lifespan
from looprig.services.served import Served

__all__ = ["AsgiApp", "AsgiService"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_ENDING: Final = 0.5
"""Seconds that a request has to end after it was cancelled."""

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
"""An application that is called with scope, receive and send, as in version 3.0 of the ASGI specification."""


@dataclass(kw_only=True)
class AsgiService(Served, ABC):
    """Base class of a service that runs an ASGI application. Implement `create_app`, and send requests to `url`.

        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Rest(AsgiService):
            db: Postgres

            async def create_app(self) -> AsgiApp:
                return make_app(self.db.dsn)

    A running one has `url`, `address` and `port`, or `path` on a Unix socket. `await idle()` waits until no request is
    being handled.

    Configuration:
        host: the address to listen on.
        unix_socket: True to listen on a Unix socket instead, in a new folder of its own; or the path of one.
        tls: the context of the server; makes `url` https.
        client_tls: the context with which a `TestClient` connects, so that it trusts the server.
        shutdown_timeout: seconds that running requests have to finish before they are cancelled.
        lifespan: whether the application supports lifespan events. `auto` finds out; with `on`, an application that
            doesn't support them does not start.

    Raises `ServiceStartError` if the host cannot be bound, `create_app` returns something that isn't callable, or the
    application's lifespan reports that its start-up failed. If `create_app` or the lifespan raises an exception, it is
    the `__cause__` of a `ServiceStartError`, under pytest and under `rig`. If the lifespan fails while the service is
    in use, the service ends with that error.
    """

    _of_host: ClassVar[tuple[str, ...]] = ("app",)
    _checks: ClassVar[Mapping[str, Check]] = {
        "shutdown_timeout": SECONDS,
        "lifespan": one_of("auto", "on", "off"),
    }

    shutdown_timeout: float = config_field(0.5)
    lifespan: Literal["auto", "on", "off"] = config_field("auto")
    _app: AsgiApp | None = field(default=None, init=False, repr=False, compare=False)

    @abstractmethod
    async def create_app(self) -> AsgiApp:
        """Return the application. Called once for each start, when `url` is already known."""

    @property
    def app(self) -> Any:
        """The running application, for a test to inspect."""
        bound_address(self, self._address)
        return self._app

    async def run(self) -> AsyncIterator[None]:
        """Serve until this generator is closed or resumed. It yields once, when it is ready to accept connections."""
        name = type(self).__qualname__
        import_extra("uvicorn", extra="asgi", needed_for=f"The service {name}")
        import_extra("wsproto", extra="asgi", needed_for=f"The service {name}")
        party = f"{name}.create_app", location_of(type(self).create_app)
        with self._bound() as bound:
            try:
                self._app = app = self._checked(await awaitable(self.create_app(), self, "create_app"))
                async with Lifespan(app, self.lifespan, name, party) as lifespan:
                    server = self._server(app)
                    server.lifespan.state = lifespan.state
                    await server.startup([bound])
                    ticking = asyncio.create_task(server.main_loop(), name=f"uvicorn of {name}")
                    try:
                        with hidden(ticking), lifespan.in_use:
                            yield
                    finally:
                        ticking.cancel()
                        await self._stop(server, bound, party)
            finally:
                self._app = None

    def _server(self, app: AsgiApp) -> Any:
        """Return a uvicorn server without a lifespan. It is not run by `serve`, which would handle signals."""
        import uvicorn  # noqa: PLC0415 - optional, and slow to load

        config = uvicorn.Config(
            _noting(app, self._in_flight),
            interface="asgi3",  # uvicorn would mistake a bound method for an ASGI 2 application
            lifespan="off",
            ws="wsproto",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=self.shutdown_timeout,  # type: ignore[arg-type]  # any number works
        )
        config.load()
        config.ssl = self.tls  # uvicorn itself only takes the names of certificate files
        server: Any = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        return server

    async def _stop(self, server: Any, bound: socket, party: tuple[str, Location]) -> None:
        """Let running requests finish, cancel those that don't, and wait until they have ended."""
        await server.shutdown([bound])
        state = server.server_state
        stuck = await stuck_handlers(state.tasks, _ENDING, f"the requests to {type(self).__qualname__}", party)
        for connection in state.connections:
            connection.transport.abort()
        if stuck is not None:
            raise stuck

    def _checked(self, made: Any) -> AsgiApp:
        if callable(made):
            return made  # type: ignore[no-any-return]
        raise ServiceStartError(
            f"{type(self).__qualname__}.create_app returned {made!r}, which isn't an ASGI application.",
            ((f"{type(self).__qualname__}.create_app", location_of(type(self).create_app)),),
            "Return a callable that takes scope, receive and send, not a coroutine that returns it.",
        )


def _noting(app: AsgiApp, in_flight: InFlight) -> AsgiApp:
    """Return an application that records each request, and the running test, without adding frames to tracebacks."""

    def begin(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        task, test = asyncio.current_task(), running_test()
        if task is not None and test is not None:
            STARTED_DURING[task] = test
        query = scope.get("query_string", b"").decode("latin-1")
        target = f"{scope['path']}?{query}" if query else scope["path"]
        in_flight.add(f"{scope.get('method', scope['type'])} {target}")
        return app(scope, receive, send)

    return begin
