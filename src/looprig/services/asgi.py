"""An ASGI application under test (Starlette, FastAPI, Litestar, Django ...), served by uvicorn on a real socket.

uvicorn is imported when the service starts; loading this module does not load it.

Does not judge the application: an exception in it is a 500 and a log record, as uvicorn has it. Does not touch signals:
whoever runs the loop does.

Invariants:
1. The port is bound before `create_app` is called, so that the application may be told its own address.
2. The application's lifespan has begun before the service is ready, and ends before it has stopped.
3. When `run` has ended no request is running: each had `shutdown_timeout` to end by itself, then was cancelled.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from looprig._extras import import_extra
from looprig.declare.fields_meta import config_field
from looprig.exceptions import ServiceStartError
from looprig.location import location_of
from looprig.services.address import Address, bound_address, listen
from looprig.services.served import Served

if TYPE_CHECKING:
    from socket import socket

__all__ = ["AsgiApp", "AsgiService"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
"""What is called with scope, receive and send, as the ASGI specification 3.0 says."""


@dataclass(kw_only=True)
class AsgiService(Served, ABC):
    """Base of a service that runs an ASGI application: write `create_app`, and ask `url`.

        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Rest(AsgiService):
            db: Postgres

            async def create_app(self) -> AsgiApp:
                return make_app(self.db.dsn)

    Configuration: `host` to listen on; `tls`, with which `url` is https; `client_tls`, the context with which a
    `TestClient` trusts it; `shutdown_timeout`, the whole seconds that running requests have to end by themselves;
    `lifespan`, whether the application has one: `auto` finds out, with `on` one that has none does not start.

    Raises `ServiceStartError` where the host cannot be bound, `create_app` gives nothing that can be called, or the
    application's lifespan says that its start-up failed.
    """

    shutdown_timeout: int = config_field(5)
    lifespan: Literal["auto", "on", "off"] = config_field("auto")
    _app: AsgiApp | None = field(default=None, init=False, repr=False, compare=False)

    @abstractmethod
    async def create_app(self) -> AsgiApp:
        """Make the application; called once for each start, when `url` is known already."""

    @property
    def app(self) -> Any:
        """The application that is running, to look into from a test."""
        bound_address(self, self._address)
        return self._app

    async def run(self) -> AsyncIterator[None]:
        """Serve until this generator is closed or resumed; it yields once, when connections are accepted."""
        name = type(self).__qualname__
        uvicorn: Any = import_extra("uvicorn", extra="asgi", needed_for=f"The service {name}")
        import_extra("wsproto", extra="asgi", needed_for=f"The service {name}")
        with closing(listen(self, self.host)) as bound:
            self._address = Address(*bound.getsockname()[:2])
            try:
                self._app = self._checked(await self.create_app())
                config = uvicorn.Config(
                    self._app,
                    interface="asgi3",  # it would take a bound method for the version before
                    lifespan=self.lifespan,
                    ws="wsproto",
                    log_config=None,
                    access_log=False,
                    timeout_graceful_shutdown=self.shutdown_timeout,
                )
                config.load()
                config.ssl = self.tls  # in place of the files that uvicorn would make one of
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
            f"{type(self).__qualname__}.create_app gave {made!r}, which is no ASGI application.",
            ((f"{type(self).__qualname__}.create_app", location_of(type(self).create_app)),),
            "Return what is called with scope, receive and send, not a coroutine of it.",
        )


def _quiet_server(config: Any) -> Any:
    """A server of uvicorn's that is one of several things in a process: it takes no signals, and ends nothing else."""
    from uvicorn import Server  # noqa: PLC0415 - as its class can only be made once it is imported

    class _Server(Server):
        def __init__(self) -> None:
            super().__init__(config)
            self._begun = asyncio.Event()
            self._stopped = asyncio.Event()

        async def wait_started(self, serving: "asyncio.Task[None]") -> None:
            """Until it accepts connections, or has found that it cannot."""
            begun = asyncio.create_task(self._begun.wait())
            await asyncio.wait([begun, serving], return_when=asyncio.FIRST_COMPLETED)
            begun.cancel()

        def stop(self) -> None:
            """Ends it, at once and not at uvicorn's next look at the clock."""
            self.should_exit = True
            self._stopped.set()

        def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
            return nullcontext()

        async def startup(self, sockets: "list[socket] | None" = None) -> None:
            try:
                await super().startup(sockets)
            except SystemExit:  # its way to say that it could not start, after it has logged why
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
