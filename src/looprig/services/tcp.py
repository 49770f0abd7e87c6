"""A TCP server under test, or a fake one, which calls a handler for each client.

Does not frame or parse anything; a handler gets asyncio's streams.

Invariants:
1. The port is bound before the server starts.
2. After `run` has ended, no handler is running and no connection is open.
3. No exception of a handler is lost: it is logged when it happens, and kept until the watch of a test run takes it and
   fails the running test. Remaining exceptions are raised in a group when the service stops. A connection reset by the
   client isn't the service's fault and is not kept.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final, cast

from looprig.declare.fields_meta import config_field
from looprig.declare.values import SECONDS, Check
from looprig.exceptions import LooprigError, summary
from looprig.location import Location, location_of
from looprig.runtime.clock import Timeout
from looprig.services.handlers import stuck_handlers
from looprig.services.hooks import awaitable
from looprig.services.listening import Listening
from looprig.watch.sources import SourceWatch, current_watch

__all__ = ["TcpService"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_log: Final = logging.getLogger(__name__)


@dataclass(kw_only=True)
class TcpService(Listening, ABC):
    """Base class of a service that serves each TCP client with one call of `handle`.

        @service_fixture
        @dataclass(kw_only=True)
        class Echo(TcpService):
            async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
                while line := await reader.readline():
                    writer.write(line)
                    await writer.drain()

    A running one has `address` and `port`, or `path` on a Unix socket. `await idle()` waits until no client is being
    served.

    Configuration:
        host: the address to listen on, as in `asyncio.open_connection(*service.address)`.
        unix_socket: True to listen on a Unix socket instead, in a new folder of its own; or the path of one. Clients
            find it in `path`.
        tls: the context of the server, to speak TLS.
        shutdown_timeout: seconds that handlers have to end after they were cancelled.

    An error in a handler fails the running test, unless the test collects it with `take_errors`.

    Raises `ServiceStartError` if the host cannot be bound. When the service stops, it raises an `ExceptionGroup` of the
    errors that no test has reported or collected.
    """

    _of_host: ClassVar[tuple[str, ...]] = ("take_errors",)
    _checks: ClassVar[Mapping[str, Check]] = {
        "shutdown_timeout": SECONDS,
    }

    shutdown_timeout: float = config_field(0.5)
    _clients: dict[asyncio.Task[None], StreamWriter] = field(
        default_factory=dict[asyncio.Task[None], StreamWriter], init=False, repr=False, compare=False
    )
    _errors: list[Exception] = field(default_factory=list[Exception], init=False, repr=False, compare=False)

    @abstractmethod
    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one client. Its connection is closed when this returns or raises."""

    def take_errors(self) -> list[Exception]:
        """Return the errors that handlers have raised so far, which count as handled from now on."""
        taken, self._errors = self._errors, []
        return taken

    async def run(self) -> AsyncIterator[None]:
        """Serve until this generator is closed or resumed. It yields once, when it is ready to accept connections."""
        with self._bound() as bound:
            start = asyncio.start_server if self.unix_socket is False else asyncio.start_unix_server
            server = await start(self._connected, sock=bound, ssl=self.tls)
            watch: SourceWatch | None = current_watch()
            if watch is not None:
                watch.add(self)
            try:
                yield
            finally:
                self._address = None  # connections accepted from here on are aborted
                if watch is not None:
                    watch.remove(self)
                server.close()
                await self._end_clients()
                with suppress(TimeoutError):
                    async with Timeout(self.shutdown_timeout):
                        await server.wait_closed()
        if errors := self.take_errors():
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
        self._in_flight.add(f"the client at {_peer(writer)}", task)
        task.add_done_callback(self._clients.pop)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            try:
                await awaitable(self.handle(reader, writer), self, "handle")
            except (BrokenPipeError, ConnectionResetError) as error:
                if not writer.transport.is_closing():  # otherwise the handler lost another connection, not the client's
                    self._failed(error)
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - kept until it is taken; a fake may call pytest.fail
                self._failed(error)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        finally:
            writer.transport.abort()  # if cancelled, drop what is still unsent

    def _failed(self, error: BaseException) -> None:
        _log.error("a handler of %s raised", type(self).__qualname__, exc_info=error)
        party = self._party()
        fix = f"If the test expects that, let it take the error: {type(self).__qualname__}.take_errors()."
        if isinstance(error, Exception):
            error.add_note(f"Raised by a handler, not by the test.\n  {party[1]}: {party[0]}\n{fix}")
            self._errors.append(error)
        else:
            wrapped = LooprigError(f"A handler raised {summary(error)}", [party], fix)
            wrapped.__cause__ = error
            self._errors.append(wrapped)

    def _party(self) -> tuple[str, Location]:
        return f"{type(self).__qualname__}.handle", location_of(type(self).handle)

    async def _end_clients(self) -> None:
        if not self._clients:
            return
        for client in self._clients:
            client.cancel()
        clients = dict(self._clients)  # tasks that end remove themselves from it
        what = f"the handlers of {type(self).__qualname__}"
        stuck = await stuck_handlers(clients, self.shutdown_timeout, what, self._party())
        for writer in clients.values():
            writer.transport.abort()
        if stuck is not None:
            self._errors.append(stuck)


def _peer(writer: StreamWriter) -> str:
    peer: object = writer.get_extra_info("peername")
    return "{}:{}".format(*cast("tuple[str, int]", peer)) if isinstance(peer, tuple) else "the other end of the socket"
