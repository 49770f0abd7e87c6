"""The link between clients and one service: the port, the connections, the toxics on them, and what went wrong.

Does not know what is behind the address that it connects to. What users hold is in `tcp`.

Invariants:
1. A client is not read before the service has taken its connection.
2. When `close` has ended no socket, task or timer of the link is left.
3. An error of the proxy's own (the service refused, a toxic raised) is in `errors` until somebody takes it.
"""

import asyncio
import os
import socket
import time
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast, final

from looprig.exceptions import LooprigError, ProxyError
from looprig.location import Location, location_of
from looprig.net.proxy.application import Application, rng_for
from looprig.net.proxy.connection import Connection
from looprig.net.proxy.dialling import connect, hand_over
from looprig.net.proxy.events import EventKind, EventLog, ProxyEvent, proxy_error
from looprig.net.proxy.line import Stage
from looprig.net.proxy.listener import Listener, State
from looprig.net.proxy.waiting import Waiting
from looprig.toxics.flow import Flow, FlowDirection
from looprig.toxics.rule import ConnectionInfo
from looprig.toxics.tcp.toxic import Toxic

if TYPE_CHECKING:
    import ssl

__all__ = ["Link", "Settings", "SocketAddress"]

_AT_THE_END: Final = "by the end of the proxy"

T = TypeVar("T")

SocketAddress: TypeAlias = tuple[str, int] | str | os.PathLike[str]
"""Host and port, or the path of a Unix socket."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a link is made from. `window` is in bytes, `connect_timeout` in seconds."""

    upstream: SocketAddress
    host: str | None
    path: str | None
    seed: int
    window: int
    connect_timeout: float
    owner: tuple[str, Location]
    client_tls: "ssl.SSLContext | None" = None
    """With which clients are served TLS, so that toxics see what is inside."""
    service_tls: "ssl.SSLContext | None" = None
    service_name: str | None = None


@final
class Link:
    """One proxy that runs."""

    def __init__(self, settings: Settings) -> None:
        self._applications: list[Application] = []
        self._began = time.monotonic()
        self._connections: dict[int, Connection] = {}
        self._context = copy_context()
        self._dials: dict[int, asyncio.Task[None]] = {}
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._stages: dict[Application, dict[int, list[Stage]]] = {}
        self._targets: Sequence[tuple[int, Any]] = ()
        self._tasks: set[asyncio.Task[object]] = set()
        self._waiting = Waiting()
        self.accepted: int = 0
        self.errors: list[ProxyError] = []
        self.events: Final = EventLog()
        self.settings: Final = settings

    async def open(self, toxics: Sequence[Toxic]) -> None:
        """Finds the service's address, and begins to accept clients; `toxics` are on from the first one on."""
        upstream = self.settings.upstream
        if isinstance(upstream, tuple):
            host, port = upstream
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self._targets = [(family, address) for family, _, _, _, address in found]
        else:
            self._targets = [(socket.AF_UNIX, os.fspath(upstream))]
        if toxics:
            self._put_on(Application(toxics, self.settings.seed, ()))
        self.listener: Listener = Listener(self.settings.host, self.settings.path, self._accepted)

    async def close(self, grace: float) -> None:
        """Ends every connection in good order; those that take longer than `grace` seconds are reset."""
        self._is_closed = True
        self.listener.close()
        self._waiting.changed()  # there is nothing to wait for any more
        try:
            for connection in self.connections:
                if connection.state == "connecting":
                    connection.reset("", why=_AT_THE_END)
            await self.disconnect_all(grace, _AT_THE_END)
            self._hang_up()
            await self._waiting.until(lambda: not self._connections and not self._dials)
            try:
                async with asyncio.timeout(grace):
                    await self._waiting.until(lambda: not self._tasks)
            except TimeoutError as error:
                self._report(f"{len(self._tasks)} of its toxics await something that does not end", (), error)
        finally:
            # Nothing is left to do but for who was cancelled meanwhile: then all goes at once.
            self._hang_up()
            for task in (*self._tasks, *self._dials.values()):
                task.cancel()
            self._applications.clear()
            self._stages.clear()

    def _hang_up(self) -> None:
        for connection in self.connections:
            connection.hang_up()

    @property
    def connections(self) -> list[Connection]:
        """Those that are not closed, in the order in which they came."""
        return [connection for _, connection in sorted(self._connections.items())]

    @property
    def live(self) -> int:
        """How many clients are connected through to the service."""
        return sum(connection.state == "open" for connection in self._connections.values())

    # Clients

    def _accepted(self, client: socket.socket, address: str) -> None:
        info = ConnectionInfo(self.accepted, address)
        self.accepted += 1
        connection = Connection(self, info, client, self.settings.window, self._loop)
        self._connections[info.index] = connection
        self.note("accepted", connection, None, "", f"from {address}" if address else "")
        for application in tuple(self._applications):
            self._strike(application, connection)
        if connection.state == "connecting":
            dial = self._create_task(self._dial(connection), f"proxy connection {info.index}")
            self._dials[info.index] = dial
            dial.add_done_callback(lambda _: self._dialled(info.index))

    def _create_task(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """In the context of whoever opened the link: what a test does to the link is not to be the test's own task."""
        return self._loop.create_task(work, name=name, context=self._context.copy())

    def _dialled(self, index: int) -> None:
        del self._dials[index]
        self._waiting.changed()

    async def _dial(self, connection: Connection) -> None:
        settings = self.settings
        try:
            try:
                async with asyncio.timeout(settings.connect_timeout):
                    sock = await connect(self._loop, self._targets)
            except OSError as error:  # a TimeoutError is one
                self._refused(connection, error)
                return
            await self._make(connection, sock)
        except Exception as error:  # noqa: BLE001 - TLS has many; the test is told
            if connection.state != "closed":  # else that is how it was made to end
                told = f"{type(error).__name__}: {error}"
                self.note("error", connection, None, "", told)
                self._report(f"Connection #{connection.info.index} could not be made: {told}", (), error)
                connection.reset("", why="since it could not be made")
        except asyncio.CancelledError:
            connection.reset("", why="while it was being made")
            raise
        finally:
            connection.finish_if_lost()

    async def _make(self, connection: Connection, sock: socket.socket) -> None:
        """Makes transports of both sockets: the service's first, since the client is not to be read before.

        Nothing cancels that, and nobody aborts a transport before the loop has handed it out (see `dialling`). One that
        is not wanted any more is aborted when it is there.
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
        if client.is_tls:  # a client that takes its time to shake hands holds nobody's bytes here
            await asyncio.sleep(0)  # uvloop sends the last of its own handshake in the next round, if it may read
            service.hold_back()
        if not client.is_lost:
            await hand_over(
                client, self._loop.connect_accepted_socket(lambda: client, client.sock, ssl=settings.client_tls)
            )
        connection.begin()

    def _refused(self, connection: Connection, error: OSError) -> None:
        why = str(error) or f"no answer within {self.settings.connect_timeout:g} s"
        self.note("refused", connection, None, "", why)
        connection.reset("", why="since the service could not be reached")
        where = _shown(self.settings.upstream)
        self._report(f"Connection #{connection.info.index} could not be made to {where}: {why}", (), error)

    # What connections tell

    def finished(self, connection: Connection) -> None:
        """A connection is over."""
        index = connection.info.index
        if self._connections.pop(index, None) is not None:
            self.note("closed", connection, None, "", "")
            for stages in self._stages.values():
                stages.pop(index, None)
            self._waiting.changed()

    def given_up(self, connection: Connection) -> None:
        """A connection is not to be made any more."""
        dial = self._dials.get(connection.info.index)
        if dial is not None and connection.service is None:
            dial.cancel()

    def opened(self, connection: Connection) -> None:
        """A connection is made on both sides."""
        self._waiting.changed()

    def flushed(self, connection: Connection) -> None:
        """A connection that is to end has written all."""
        self._waiting.changed()

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """A task for what a toxic awaits; `close` waits for it."""

        def done(task: "asyncio.Task[object]") -> None:
            self._tasks.discard(task)
            self._waiting.changed()

        task = self._create_task(work, name)
        self._tasks.add(task)
        task.add_done_callback(done)
        return task

    def note(
        self, kind: EventKind, connection: Connection | None, direction: FlowDirection | None, toxic: str, detail: str
    ) -> None:
        """One more event."""
        index = None if connection is None else connection.info.index
        self.events.add(ProxyEvent(time.monotonic() - self._began, kind, index, direction, toxic, detail))

    def toxic_failed(self, connection: Connection, stage: Stage, error: BaseException) -> None:
        """A toxic raised."""
        function = getattr(stage.toxic, "fn", type(stage.toxic))
        self._toxic_failed(connection, stage.flow.direction, stage.name, function, error)

    def _toxic_failed(
        self, connection: Connection, direction: FlowDirection | None, name: str, function: object, error: BaseException
    ) -> None:
        told = f"{type(error).__name__}: {error}"
        self.note("error", connection, direction, name, told)
        party = (getattr(function, "__qualname__", repr(function)), location_of(function))
        self._report(f"{name} raised on connection #{connection.info.index}: {told}", (party,), error)

    def _report(self, what: str, parties: Sequence[tuple[str, Location]], cause: BaseException) -> None:
        self.errors.append(proxy_error(what, (*parties, self.settings.owner), cause))

    # Toxics

    @contextmanager
    def applied(self, toxics: Sequence[Toxic]) -> Generator[Application, None, None]:
        """Puts toxics on the connections there are and those to come, for the length of a block."""
        taken = [name for application in self._applications for _, name in application.toxics]
        application = Application(toxics, self.settings.seed, taken)
        try:
            self._put_on(application)
            yield application
        finally:
            self._take_off(application)

    def _put_on(self, application: Application) -> None:
        for toxic, name in application.toxics:
            self.note("toxic", None, None, "", f"{name}: {toxic}")
        self._applications.append(application)
        self._stages[application] = {}
        for connection in self.connections:
            self._strike(application, connection)

    def _strike(self, application: Application, connection: Connection) -> None:
        """Puts the toxics of an application on a connection, unless a `when` among them ends either of the two."""
        index = connection.info.index
        for number, (rule, name) in enumerate(application.toxics):
            toxic = cast("Toxic", rule)
            strikes = self._strikes(application, number, connection)
            if application not in self._stages or connection.state not in {"connecting", "open"}:
                return
            if strikes:
                stages = self._stages[application].setdefault(index, [])
                self.note("toxic", connection, None if toxic.direction == "both" else toxic.direction, name, "is on")
                stages += [self._stage(connection, toxic, name, direction) for direction in _directions(toxic)]

    def _strikes(self, application: Application, number: int, connection: Connection) -> bool:
        if application not in self._stages or connection.state not in {"connecting", "open"}:
            return False
        rule, name = application.toxics[number]
        try:
            return application.strikes(number, connection.info)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a predicate of the suite's own: the test is told
            self._toxic_failed(connection, None, name, rule.when, error)
            connection.reset(name)
            return False

    def _stage(self, connection: Connection, toxic: Toxic, name: str, direction: FlowDirection) -> Stage:
        rng = rng_for(self.settings.seed, connection.info.index, direction, name)
        stage = Stage(toxic, Flow(connection.info, direction, rng), name)
        connection.put_on(stage)
        return stage

    def _take_off(self, application: Application) -> None:
        if application not in self._applications:
            return  # the proxy has ended before the block
        self._applications.remove(application)
        for _, name in application.toxics:
            self.note("toxic off", None, None, "", name)
        for index, stages in self._stages.pop(application).items():
            if (connection := self._connections.get(index)) is not None:
                connection.take_off(stages)

    # The whole link

    @contextmanager
    def put(self, state: State) -> Generator[None, None, None]:
        """Has the port refuse, drop or keep waiting whoever comes."""
        with self.listener.put(state):
            self.note("link", None, None, "", state)
            try:
                yield
            finally:
                self.note("link", None, None, "", f"{state} no more")

    def reset_now(self, why: str) -> list[Connection]:
        """Resets all connections, those that wait to be accepted too; gives those that were there."""
        self.listener.take_waiting()
        connections = self.connections
        for connection in connections:
            connection.reset("", why=why)
        return connections

    async def reset_all(self, why: str) -> None:
        """As `reset_now`, and waits until their sockets are closed."""
        gone = {connection.info.index for connection in self.reset_now(why)}
        await self._waiting.until(lambda: gone.isdisjoint(self._connections))

    async def disconnect_all(self, grace: float, why: str) -> None:
        """Ends all connections in good order; those whose peers take nothing for `grace` seconds are reset."""
        if not self._is_closed:
            self.listener.take_waiting()
        connections = self.connections
        for connection in connections:
            connection.close_orderly("", why=why)
        try:
            async with asyncio.timeout(grace):
                await self._waiting.until(lambda: all(connection.is_flushed for connection in connections))
        except TimeoutError:
            for connection in connections:
                if not connection.is_flushed:
                    connection.reset("", why="since a peer did not read, or a toxic still waited")

    async def wait_connections(self, count: int) -> None:
        """Waits until so many connections are open at least; with 0, until there is none."""

        def are_there() -> bool:
            return self.live >= count if count else not self._connections

        await self._waiting.until(lambda: are_there() or self._is_closed)
        if not are_there():
            raise LooprigError(f"The proxy ended while {count} connections were waited for.", [self.settings.owner])


def _directions(toxic: Toxic) -> tuple[FlowDirection, ...]:
    return ("upstream", "downstream") if toxic.direction == "both" else (toxic.direction,)


def _shown(address: SocketAddress) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else os.fspath(address)
