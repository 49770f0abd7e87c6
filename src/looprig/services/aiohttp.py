"""An aiohttp application under test, served on a real socket of this process.

aiohttp is imported when the service starts; loading this module does not load it.

Does not report exceptions in handlers: aiohttp answers with a 500 and logs them.

Invariants:
1. The port is bound before `create_app` is called, so that the application can know its own address.
2. After `run` has ended, no handler is running: each had `shutdown_timeout` to finish, and was then cancelled.
3. A handler is cancelled when its client disconnects, unless `handler_cancellation` is False.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from looprig._extras import LazyModule, import_extra
from looprig.declare.fields_meta import config_field
from looprig.declare.values import FLAG, SECONDS, Check
from looprig.exceptions import ServiceStartError
from looprig.location import location_of
from looprig.services.address import bound_address
from looprig.services.hooks import awaitable
from looprig.services.served import Served

if TYPE_CHECKING:
    from aiohttp import web
else:
    web = LazyModule("aiohttp.web", extra="aiohttp", needed_for="looprig.AiohttpService")

__all__ = ["AiohttpService"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@dataclass(kw_only=True)
class AiohttpService(Served, ABC):
    """Base class of a service that runs an `aiohttp.web.Application`. Implement `create_app`, and request `url`.

        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Rest(AiohttpService):
            page_size: int = 20

            async def create_app(self) -> web.Application:
                return make_app(page_size=self.page_size)

    A running one has `url`, `address` and `port`, or `path` on a Unix socket. `await idle()` waits until no request is
    being handled.

    Configuration:
        host: the address to listen on.
        unix_socket: True to listen on a Unix socket instead, in a new folder of its own; or the path of one.
        tls: the context of the server; makes `url` https.
        client_tls: the context with which a `TestClient` connects, so that it trusts the server.
        shutdown_timeout: seconds that running handlers have to finish before they are cancelled.
        handler_cancellation: whether a handler is cancelled when its client disconnects.

    Raises `ServiceStartError` if the host cannot be bound or `create_app` does not return an application. If
    `create_app` or the application's own start-up raises an exception, it is the `__cause__` of a `ServiceStartError`,
    under pytest and under `rig`.
    """

    _of_host: ClassVar[tuple[str, ...]] = ("app",)
    _checks: ClassVar[Mapping[str, Check]] = {"shutdown_timeout": SECONDS, "handler_cancellation": FLAG}

    shutdown_timeout: float = config_field(0.5)
    handler_cancellation: bool = config_field(True)
    _app: object = field(default=None, init=False, repr=False, compare=False)

    @abstractmethod
    async def create_app(self) -> "web.Application":
        """Return the application. Called once for each start, when `url` is already known."""

    @property
    def app(self) -> "web.Application":
        """The running application, for a test to inspect."""
        bound_address(self, self._address)
        if not isinstance(self._app, web.Application):
            raise ServiceStartError(
                f"{type(self).__qualname__} has no app yet: create_app is still running.",
                ((f"{type(self).__qualname__}.create_app", location_of(type(self).create_app)),),
            )
        return self._app

    async def run(self) -> AsyncIterator[None]:
        """Serve until this generator is closed or resumed. It yields once, when it is ready to accept connections."""
        import_extra("aiohttp", extra="aiohttp", needed_for=f"The service {type(self).__qualname__}")
        with self._bound() as bound:
            try:
                runner = web.AppRunner(
                    self._checked(await awaitable(self.create_app(), self, "create_app")),
                    handler_cancellation=self.handler_cancellation,
                    shutdown_timeout=self.shutdown_timeout / 2,  # aiohttp waits twice before it cancels a handler
                )
                self._app = runner.app
                try:
                    await runner.setup()
                    self._note_requests(runner)
                    await web.SockSite(runner, bound, ssl_context=self.tls).start()
                    yield
                finally:
                    await runner.cleanup()
            finally:
                self._app = None

    def _note_requests(self, runner: "web.AppRunner") -> None:
        server = runner.server
        assert server is not None
        handle, in_flight = server.request_handler, self._in_flight

        def begin(request: "web.BaseRequest") -> Awaitable["web.StreamResponse"]:
            in_flight.add(f"{request.method} {request.rel_url}")
            return handle(request)

        server.request_handler = begin  # not a middleware: it would add frames to tracebacks, and change the app

    def _checked(self, made: object) -> "web.Application":
        if isinstance(made, web.Application):
            return made
        raise ServiceStartError(
            f"{type(self).__qualname__}.create_app returned {made!r}, which is not an aiohttp.web.Application.",
            ((f"{type(self).__qualname__}.create_app", location_of(type(self).create_app)),),
            "Return the application itself, not a runner or a coroutine that returns it.",
        )
