"""An ASGI application under test (Starlette, FastAPI, Litestar, Django ...), served by uvicorn on a real socket.

uvicorn is imported when the service starts; loading this module does not load it.

Does not report exceptions in the application: uvicorn answers with a 500 and logs them. Does not handle signals.

Invariants:
1. The port is bound before `create_app` is called, so that the application can know its own address.
2. The application's lifespan begins before the service is ready, and ends before the service has stopped.
3. After `run` has ended, no request is running: each had `shutdown_timeout` to finish, and was then cancelled.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from looprig._extras import import_extra
from looprig.declare.fields_meta import config_field
from looprig.declare.values import Check, one_of, whole_number
from looprig.exceptions import ServiceStartError
from looprig.location import location_of
from looprig.services.address import Address, bound_address, listen
from looprig.services.served import Served

if TYPE_CHECKING:
    from socket import socket

__all__ = ["AsgiApp", "AsgiService"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

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

    Configuration:
        host: the address to listen on.
        tls: the context of the server; makes `url` https.
        client_tls: the context of a `TestClient` that has to trust it.
        shutdown_timeout: seconds, a whole number, that running requests have to finish before they are cancelled.
        lifespan: whether the application supports lifespan events. `auto` finds out; with `on`, an application that
            doesn't support them does not start.

    Raises `ServiceStartError` if the host cannot be bound, `create_app` returns something that isn't callable, or the
    application's lifespan reports that its start-up failed.
    """

    _checks: ClassVar[Mapping[str, Check]] = {
        "shutdown_timeout": whole_number("a whole number of seconds, 0 or more"),
        "lifespan": one_of("auto", "on", "off"),
    }

    shutdown_timeout: int = config_field(5)
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
        """Serve until this generator is closed or resumed. It yields once, when connections are accepted."""
        name = type(self).__qualname__
        uvicorn: Any = import_extra("uvicorn", extra="asgi", needed_for=f"The service {name}")
        import_extra("wsproto", extra="asgi", needed_for=f"The service {name}")
        with closing(listen(self, self.host)) as bound:
            self._address = Address(*bound.getsockname()[:2])
            try:
                self._app = self._checked(await self.create_app())
                config = uvicorn.Config(
                    self._app,
                    interface="asgi3",  # uvicorn would take a bound method for an ASGI 2 application
                    lifespan=self.lifespan,
                    ws="wsproto",
                    log_config=None,
                    access_log=False,
                    timeout_graceful_shutdown=self.shutdown_timeout,
                )
                config.load()
                config.ssl = self.tls  # uvicorn itself only takes the names of certificate files
                server = _quiet_server(config)
                serving = asyncio.create_task(server.serve([bound]), name=f"uvicorn of {name}")
                try:
                    await server.wait_started(serving)
                    if not server.started:
                        raise ServiceStartError(
                            f"{name} did not start: the start-up of its application failed.",
                            ((f"{name}.create_app", location_of(type(self).create_app)),),
                        )
                    yield
                finally:
                    server.stop()
                    await serving
            finally:
                self._address = self._app = None

    def _checked(self, made: Any) -> AsgiApp:
        if callable(made):
            return made  # type: ignore[no-any-return]
        raise ServiceStartError(
            f"{type(self).__qualname__}.create_app returned {made!r}, which isn't an ASGI application.",
            ((f"{type(self).__qualname__}.create_app", location_of(type(self).create_app)),),
            "Return a callable that takes scope, receive and send, not a coroutine that returns it.",
        )


def _quiet_server(config: Any) -> Any:
    """Return a uvicorn server that leaves signals alone and does not exit the process."""
    from uvicorn import Server  # noqa: PLC0415 - uvicorn is optional, and this is a subclass of its server

    class _Server(Server):
        def __init__(self) -> None:
            super().__init__(config)
            self._begun = asyncio.Event()
            self._stopped = asyncio.Event()

        async def wait_started(self, serving: "asyncio.Task[None]") -> None:
            """Wait until it accepts connections, or has failed to start."""
            begun = asyncio.create_task(self._begun.wait())
            await asyncio.wait([begun, serving], return_when=asyncio.FIRST_COMPLETED)
            begun.cancel()

        def stop(self) -> None:
            """Make it stop at once, instead of at uvicorn's next tick."""
            self.should_exit = True
            self._stopped.set()

        def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
            return nullcontext()

        async def startup(self, sockets: "list[socket] | None" = None) -> None:
            try:
                await super().startup(sockets)
            except SystemExit:  # uvicorn's reaction to a failed start, after it has logged the reason
                self.should_exit = True
            self._begun.set()

        async def main_loop(self) -> None:
            ticking = asyncio.create_task(super().main_loop())
            stopped = asyncio.create_task(self._stopped.wait())
            try:
                await asyncio.wait([ticking, stopped], return_when=asyncio.FIRST_COMPLETED)
            finally:
                ticking.cancel()
                stopped.cancel()

    return _Server()
