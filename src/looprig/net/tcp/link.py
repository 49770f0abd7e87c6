"""The link between TCP clients and one service: the port, the connections, and connecting to the service.

Does not know what is behind the address that it connects to. The API for users is in `controls`.

Invariants:
1. No data is read from a client before the service has accepted its connection.
2. After `close`, no socket, task or timer of the link is left.
"""

import asyncio
import os
import socket
from collections.abc import Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

from looprig.exceptions import ServiceStartError, summary
from looprig.net.faults.link import FaultLink
from looprig.net.faults.log import Party
from looprig.net.faults.seeds import rng_for
from looprig.net.tcp.connection import Connection
from looprig.net.tcp.dial import connect, hand_over
from looprig.net.tcp.line import Stage
from looprig.net.tcp.listener import Listener, State, can_watch_sockets
from looprig.posix import is_posix, posix_missing
from looprig.runtime.clock import Timeout
from looprig.toxics.flow import Flow, FlowDirection
from looprig.toxics.rule import ConnectionInfo
from looprig.toxics.tcp.toxic import Toxic

if TYPE_CHECKING:
    import ssl

__all__ = ["Settings", "SocketAddress", "TcpLink"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_AT_THE_END: Final = "by the end of the proxy"

SocketAddress: TypeAlias = tuple[str, int] | str | os.PathLike[str]
"""Host and port, or the path of a Unix socket."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a link. `window` is in bytes, `connect_timeout` in seconds."""

    upstream: SocketAddress
    host: str | None
    path: str | None
    seed: int
    window: int
    connect_timeout: float
    owner: Party
    client_tls: "ssl.SSLContext | None" = None
    """The context for serving TLS to clients, so that toxics see what is inside."""
    service_tls: "ssl.SSLContext | None" = None
    service_name: str | None = None


@final
class TcpLink(FaultLink[Connection, Toxic, Stage]):
    """A running TCP proxy."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.owner, settings.seed)
        self._connections: dict[int, Connection] = {}
        self._dials: dict[int, asyncio.Task[None]] = {}
        self._targets: Sequence[tuple[int, Any]] = ()
        self._tasks: set[asyncio.Task[object]] = set()
        self.settings: Final = settings

    async def open(self, toxics: Sequence[Toxic]) -> None:
        """Resolve the service's address and begin to accept clients, with `toxics` on all connections.

        Raises:
            ServiceStartError: this system, or the running loop, lacks what a proxy needs.
        """
        self._check_system()
        upstream = self.settings.upstream
        if isinstance(upstream, tuple):
            host, port = upstream
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self._targets = [(family, address) for family, _, _, _, address in found]
        else:
            self._targets = [(socket.AF_UNIX, os.fspath(upstream))]
        if toxics:
            self._apply(toxics)
        self.listener: Listener = Listener(self.settings.host, self.settings.path, self._accepted)

    def _check_system(self) -> None:
        name, owner = self.settings.owner[0], [self.settings.owner]
        if not is_posix():
            raise posix_missing(
                f"The TCP proxy {name}",
                owner,
                'skip the tests of network faults: `pytest.mark.skipif(os.name != "posix", reason="needs POSIX")`.',
                ServiceStartError,
            )
        if not can_watch_sockets(self._loop):
            raise ServiceStartError(
                f"The TCP proxy {name} can't run on {type(self._loop).__qualname__}, a loop without `add_reader`.",
                owner,
                "Use one of asyncio's own loops or uvloop (see the option --loop-factory).",
            )

    async def close(self, grace: float) -> None:
        """End every connection gracefully, and reset those that take longer than `grace` seconds."""
        self._is_closed = True
        self.listener.close()
        self._waiters.changed()
        try:
            for connection in self.connections:
                if connection.state == "connecting":
                    connection.reset("", why=_AT_THE_END)
            await self.disconnect_all(grace, _AT_THE_END)
            self._hang_up()
            await self._waiters.until(lambda: not self._connections and not self._dials)
            try:
                async with Timeout(grace):
                    await self._waiters.until(lambda: not self._tasks)
            except TimeoutError as error:
                self.log.report(f"{len(self._tasks)} of its toxics await something that does not end", error)
        finally:
            # Nothing is left to do, unless this was cancelled and has to close everything at once.
            self._hang_up()
            for task in (*self._tasks, *self._dials.values()):
                task.cancel()
            self._on.clear()

    def _hang_up(self) -> None:
        for connection in self.connections:
            connection.hang_up()

    @property
    def connections(self) -> list[Connection]:
        """The connections that are not closed, in order of arrival."""
        return [connection for _, connection in sorted(self._connections.items())]

    @property
    def unmade(self) -> Iterable[int]:
        """The indexes of the connections that are being made."""
        return list(self._dials)

    @property
    def live(self) -> int:
        """The number of clients that are connected to the service."""
        return sum(connection.state == "open" for connection in self._connections.values())

    # Clients

    def _accepted(self, client: socket.socket, address: str) -> None:
        info = ConnectionInfo(next(self._indexes), address)
        connection = Connection(self, info, client, self.settings.window, self._loop)
        self._connections[info.index] = connection
        self.log.accepted(info.index, address)
        self._strike_all(connection)
        if connection.state == "connecting":
            dial = self._create_task(self._dial(connection), f"proxy connection {info.index}")
            self._dials[info.index] = dial
            dial.add_done_callback(lambda _: self._dialed(info.index))

    def _dialed(self, index: int) -> None:
        del self._dials[index]
        self._waiters.changed()

    async def _dial(self, connection: Connection) -> None:
        index = connection.info.index
        try:
            try:
                async with Timeout(self.settings.connect_timeout):
                    sock = await connect(self._loop, self._targets)
            except OSError as error:  # includes TimeoutError
                self._refused(connection, error)
                return
            await self._make(connection, sock)
        except Exception as error:  # noqa: BLE001 - TLS raises many types; they fail the test
            if connection.state != "closed":  # otherwise the error is just how the connection was ended
                shown = summary(error)
                self.log.note("error", index, detail=shown)
                what = f"Connection #{index} could not be made {self._between(connection)}: {shown}"
                self.log.report(what, error, connection=index)
                connection.reset("", why="since it could not be made")
        except asyncio.CancelledError:
            connection.reset("", why="while it was being made")
            raise
        finally:
            connection.finish_if_lost()

    async def _make(self, connection: Connection, sock: socket.socket) -> None:
        """Create transports for both sockets: first the service's, since the client must not be read before.

        This is never cancelled: a transport that is no longer needed is aborted once the loop has returned it (see
        `dial`).
        """
        settings = self.settings
        service, client = connection.reached(sock), connection.client
        service.is_tls, client.is_tls = settings.service_tls is not None, settings.client_tls is not None
        await hand_over(
            service,
            self._loop.create_connection(
                lambda: service,
                sock=sock,
                ssl=settings.service_tls,
                server_hostname=settings.service_name,
                ssl_handshake_timeout=settings.connect_timeout if service.is_tls else None,
            ),
        )
        if client.is_tls:  # don't read and hold the service's bytes while the client takes its time for the handshake
            await asyncio.sleep(0)  # uvloop sends the end of its handshake in the next round, but only if it may read
            service.hold_back()
        if not client.is_lost:
            await hand_over(
                client, self._loop.connect_accepted_socket(lambda: client, client.sock, ssl=settings.client_tls)
            )
        connection.begin()

    @property
    def _shown(self) -> str:
        upstream = self.settings.upstream
        return f"{upstream[0]}:{upstream[1]}" if isinstance(upstream, tuple) else os.fspath(upstream)

    def _between(self, connection: Connection) -> str:
        """Return a phrase for the side with which a connection could not be made. That to the service is made first."""
        service = connection.service
        if service is None or service.transport is None:
            return f"to the service at {self._shown}"
        return f"with the client {connection.info.client}".rstrip()

    def _refused(self, connection: Connection, error: OSError) -> None:
        index = connection.info.index
        why = str(error) or f"no answer within {self.settings.connect_timeout:g} s"
        self.log.note("refused", index, detail=why)
        connection.reset("", why="since the service could not be reached")
        self.log.report(f"Connection #{index} could not be made to {self._shown}: {why}", error, connection=index)

    # Called by connections (`connection.Owner`)

    def finished(self, connection: Connection) -> None:
        """Forget a connection whose sockets are closed."""
        if self._connections.pop(connection.info.index, None) is not None:
            self.log.note("closed", connection.info.index)
            self._forget(connection)

    def given_up(self, connection: Connection) -> None:
        """Give up making a connection."""
        dial = self._dials.get(connection.info.index)
        if dial is not None and connection.service is None:
            dial.cancel()

    def progressed(self) -> None:
        """Wake the tasks that wait for connections, since one was established or has written held data."""
        self._waiters.changed()

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """Start a task for an operation that a toxic awaits. `close` waits for it."""

        def done(task: "asyncio.Task[object]") -> None:
            self._tasks.discard(task)
            self._waiters.changed()

        task = self._create_task(work, name)
        self._tasks.add(task)
        task.add_done_callback(done)
        return task

    # Toxics

    def _start(self, connection: Connection, toxic: Toxic, name: str, direction: FlowDirection) -> Stage:
        rng = rng_for(self._seed, connection.info.index, direction, name)
        stage = Stage(toxic, Flow(connection.info, direction, rng), name, self.log.act)
        connection.put_on(stage)
        return stage

    def _stop(self, stages: Mapping[int, Sequence[Stage]]) -> None:
        for index, own in stages.items():
            if (connection := self._connections.get(index)) is not None:
                connection.take_off(own)

    def _when_failed(self, connection: Connection, toxic: Toxic, name: str, error: BaseException) -> None:
        self.log.toxic_failed(connection.info.index, None, name, toxic.when, error)
        connection.reset(name)

    # The whole link

    @contextmanager
    def put(self, state: State) -> Generator[None, None, None]:
        """Refuse new clients, drop their packets, or keep them waiting, until the block ends."""
        with self.listener.put(state):
            self.log.note("link", detail=state)
            try:
                yield
            finally:
                self.log.note("link", detail=f"{state} no more")

    def reset_now(self, why: str) -> list[Connection]:
        """Reset all connections, including those that wait to be accepted, and return them."""
        self.listener.take_waiting()
        self.log.act()
        connections = self.connections
        for connection in connections:
            connection.reset("", why=why)
        return connections

    async def reset_all(self, why: str) -> None:
        """Reset all connections, and wait until their sockets are closed."""
        gone = {connection.info.index for connection in self.reset_now(why)}
        await self._waiters.until(lambda: gone.isdisjoint(self._connections))

    async def disconnect_all(self, grace: float, why: str) -> None:
        """End all connections gracefully, and reset those whose peers have not read everything in `grace` seconds."""
        if not self._is_closed:
            self.listener.take_waiting()
            self.log.act()
        connections = self.connections
        for connection in connections:
            connection.close_orderly("", why=why)
        try:
            async with Timeout(grace):
                await self._waiters.until(lambda: all(connection.is_flushed for connection in connections))
        except TimeoutError:
            for connection in connections:
                if not connection.is_flushed:
                    connection.reset("", why="since a peer did not read, or a toxic still waited")
