"""An aiohttp application under test, served on a real socket of this process.

aiohttp is imported when the service starts; loading this module does not load it.

Does not judge the application: an exception in a handler is a 500 and a log record, as aiohttp has it.

Invariants:
1. The port is bound before `create_app` is called, so that the application may be told its own address.
2. When `run` has ended no handler is running: each had `shutdown_timeout` to end by itself, then was cancelled.
3. A handler is cancelled when its client goes away, unless `handler_cancellation` says otherwise.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from looprig._extras import LazyModule, import_extra
from looprig.declare.fields_meta import config_field
from looprig.exceptions import ServiceStartError
from looprig.location import location_of
from looprig.services.address import Address, bound_address, listen
from looprig.services.served import Served

if TYPE_CHECKING:
    from aiohttp import web
else:
    web = LazyModule("aiohttp.web", extra="aiohttp", needed_for="looprig.AiohttpService")

__all__ = ["AiohttpService"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@dataclass(kw_only=True)
class AiohttpService(Served, ABC):
    """Base of a service that runs an `aiohttp.web.Application`: write `create_app`, and ask `url`.

        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Rest(AiohttpService):
            page_size: int = 20

            async def create_app(self) -> web.Application:
                return make_app(page_size=self.page_size)

    Configuration: `host` to listen on; `tls`, with which `url` is https; `client_tls`, the context with which a
    `TestClient` trusts it; `shutdown_timeout`, the seconds that running handlers have to end by themselves;
    `handler_cancellation`, whether a handler is cancelled when its client goes away.

    Raises `ServiceStartError` where the host cannot be bound or `create_app` gives no application. What
    `create_app` and the application's own start-up raise is raised as it is.
    """

    shutdown_timeout: float = config_field(5.0)
    handler_cancellation: bool = config_field(True)
    _app: object = field(default=None, init=False, repr=False, compare=False)

    @abstractmethod
    async def create_app(self) -> "web.Application":
        """Make the application; called once for each start, when `url` is known already."""

    @property
    def app(self) -> "web.Application":
        """The application that is running, to look into from a test."""
        bound_address(self, self._address)
        if not isinstance(self._app, web.Application):
            raise ServiceStartError(
                f"{type(self).__qualname__} has no app yet: it is being made.",
                ((f"{type(self).__qualname__}.create_app", location_of(type(self).create_app)),),
            )
        return self._app

    async def run(self) -> AsyncIterator[None]:
        """Serve until this generator is closed or resumed; it yields once, when connections are accepted."""
        import_extra("aiohttp", extra="aiohttp", needed_for=f"The service {type(self).__qualname__}")
        with closing(listen(self, self.host)) as bound:
            self._address = Address(*bound.getsockname()[:2])
            try:
                runner = web.AppRunner(
                    self._checked(await self.create_app()),
                    handler_cancellation=self.handler_cancellation,
                    shutdown_timeout=self.shutdown_timeout,
                )
                self._app = runner.app
                try:
                    await runner.setup()
                    await web.SockSite(runner, bound, ssl_context=self.tls).start()
                    yield
                finally:
                    await runner.cleanup()
            finally:
                self._address = self._app = None

    def _checked(self, made: object) -> "web.Application":
        if isinstance(made, web.Application):
            return made
        raise ServiceStartError(
            f"{type(self).__qualname__}.create_app gave {made!r}, which is not an aiohttp.web.Application.",
            ((f"{type(self).__qualname__}.create_app", location_of(type(self).create_app)),),
            "Return the application itself, not a runner or a coroutine of it.",
        )
