"""A TCP server under test, or a fake of one: one handler call for each client.

Does not frame or parse anything; a handler gets asyncio's streams.

Invariants:
1. The port is bound before the server starts.
2. After `run` has ended, no handler is running and no connection is open.
3. No exception of a handler is lost: it is logged when it happens, and raised in a group when the service stops.
   A connection reset by the client isn't the service's fault and is not raised.
"""

import asyncio
import logging
import ssl
from abc import ABC, abstractmethod
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final

from looprig.declare.fields_meta import Configured, config_field
from looprig.declare.values import SECONDS, TEXT, Check, instance_of
from looprig.exceptions import StuckTaskError
from looprig.location import location_of
from looprig.net.ports import localhost
from looprig.runtime.clock import Timeout
from looprig.services.address import Address, bound_address, listen

__all__ = ["TcpService"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_log: Final = logging.getLogger(__name__)


@dataclass(kw_only=True)
class TcpService(Configured, ABC):
    """Base class of a service that serves each TCP client with one call of `handle`.

        @service_fixture
        @dataclass(kw_only=True)
        class Echo(TcpService):
            async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
                while line := await reader.readline():
                    writer.write(line)
                    await writer.drain()

    Configuration:
        host: the address to listen on.
        tls: the context of the server, to speak TLS.
        shutdown_timeout: seconds that handlers have to end after they were cancelled.

    Raises `ServiceStartError` if the host cannot be bound and, when it stops, an `ExceptionGroup` of all errors that
    handlers raised.
    """

    _checks: ClassVar[Mapping[str, Check]] = {
        "host": TEXT,
        "tls": instance_of("an ssl.SSLContext", ssl.SSLContext).or_none(),
        "shutdown_timeout": SECONDS,
    }

    host: str = config_field(factory=localhost)
    tls: ssl.SSLContext | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    shutdown_timeout: float = config_field(5.0)
    _address: Address | None = field(default=None, init=False, repr=False, compare=False)
    _clients: dict[asyncio.Task[None], StreamWriter] = field(
        default_factory=dict[asyncio.Task[None], StreamWriter], init=False, repr=False, compare=False
    )
    _errors: list[Exception] = field(default_factory=list[Exception], init=False, repr=False, compare=False)

    @abstractmethod
    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one client. Its connection is closed when this returns or raises."""

    @property
    def address(self) -> Address:
        """The host and port, as in `asyncio.open_connection(*service.address)`."""
        return bound_address(self, self._address)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.address.port

    async def run(self) -> AsyncIterator[None]:
        """Serve until this generator is closed or resumed. It yields once, when connections are accepted."""
        with closing(listen(self, self.host)) as bound:
            self._address = Address(*bound.getsockname()[:2])
            try:
                server = await asyncio.start_server(self._connected, sock=bound, ssl=self.tls)
                try:
                    yield
                finally:
                    self._address = None  # connections accepted from here on are aborted
                    server.close()
                    await self._end_clients()
                    with suppress(TimeoutError):
                        async with Timeout(self.shutdown_timeout):
                            await server.wait_closed()
            finally:
                self._address = None
        if self._errors:
            errors, self._errors = self._errors, []
            raise ExceptionGroup(f"handlers of {type(self).__qualname__} raised", errors)

    def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        # A plain function, so that the task is ours. asyncio keeps no reference to its own, so it could not be
        # cancelled.
        if self._address is None:
            writer.transport.abort()
            return
        name = f"{type(self).__qualname__}.handle"
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name=name)
        self._clients[task] = writer
        task.add_done_callback(self._clients.pop)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            try:
                await self.handle(reader, writer)
            except (BrokenPipeError, ConnectionResetError) as error:
                if not writer.transport.is_closing():  # then the handler lost another connection, not the client's
                    self._failed(error)
            except Exception as error:  # noqa: BLE001 - kept, and raised when the service stops
                self._failed(error)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        finally:
            writer.transport.abort()  # if cancelled, drop what is still unsent

    def _failed(self, error: Exception) -> None:
        _log.error("a handler of %s raised", type(self).__qualname__, exc_info=error)
        self._errors.append(error)

    async def _end_clients(self) -> None:
        if not self._clients:
            return
        for client in self._clients:
            client.cancel()
        _, stuck = await asyncio.wait(self._clients, timeout=self.shutdown_timeout)
        for client in stuck:
            self._clients[client].transport.abort()
        if stuck:
            self._errors.append(
                StuckTaskError(
                    f"{len(stuck)} of the handlers of {type(self).__qualname__} did not end within"
                    f" {self.shutdown_timeout:g} s of being cancelled.",
                    ((f"{type(self).__qualname__}.handle", location_of(type(self).handle)),),
                    "Let CancelledError through, or give the service a longer shutdown_timeout.",
                )
            )
