"""The link between UDP clients and one service: the port, the connections, and errors of datagrams.

Does not know what is behind the address that it sends to. The API for users is in `controls`.

Invariants:
1. The port is bound before it is known, and stays bound until `close`.
2. A datagram that was sent before toxics change passes through the old ones, since arrived datagrams are read first.
3. Datagrams pass through the toxics one at a time. Others wait, which are read meanwhile if a toxic's own code adds or
   removes a toxic.
4. After `close`, no socket, task or timer of the link is left.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

from looprig.exceptions import summary
from looprig.location import location_of
from looprig.net.address import Address
from looprig.net.faults.link import FaultLink
from looprig.net.faults.log import Party
from looprig.net.ports import hold_port
from looprig.net.udp.chain import Stage, ToxicRaisedError, pass_through
from looprig.net.udp.connection import Connection, Pipe
from looprig.net.udp.endpoint import Endpoint, Peer
from looprig.net.udp.rng import DatagramRng
from looprig.net.udp.sender import Sender, clock
from looprig.toxics.flow import Flow, FlowDirection
from looprig.toxics.rule import ConnectionInfo
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Settings", "UdpLink"]

_TAKEN: Final = 10_000
"""Maximum number of datagrams that are read from one socket before toxics change, since a flood would never end."""

_Arrival: TypeAlias = tuple[Pipe, bytes, int, float, tuple[Stage, ...]]
"""A datagram, its number in its pipe, its time of arrival, and the toxics that were applied then."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a link. `idle_timeout` is in seconds."""

    upstream: tuple[str, int]
    host: str
    seed: int
    idle_timeout: float
    owner: Party


@final
class UdpLink(FaultLink[Connection, Toxic, Stage]):
    """A running UDP proxy."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.owner, settings.seed)
        self._arrived: deque[_Arrival] = deque()
        self._black_holes = 0
        self._connections: dict[Peer, Connection] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._is_passing = False
        self._sender = Sender(self._not_sent)
        self._swallowed = 0
        self.settings: Final = settings

    async def open(self, toxics: Sequence[Toxic]) -> None:
        """Resolve the service's address and begin to carry datagrams, with `toxics` applied from the first one on."""
        host, port = self.settings.upstream
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, _, _, _, target = found[0]
        self._service = family, target
        if toxics:
            self._apply(toxics)
        held = hold_port(self.settings.host, kind=socket.SOCK_DGRAM)
        self.address: Address = Address(held.host, held.port)
        self._port: Endpoint = Endpoint(held.socket, self._from_client, self._port_failed)
        await self._port.open()

    async def close(self) -> None:
        """Send the held datagrams, and close all sockets."""
        self._catch_up()
        self._is_closed = True
        self._waiters.changed()
        self._sender.flush()
        self._port.close()
        for connection in self.connections:
            self._end(connection)
        self._on.clear()
        if self._ending:
            await asyncio.wait(self._ending)
        await self._port.wait_closed()

    @property
    def connections(self) -> list[Connection]:
        """The connections that are still known, in order of arrival."""
        return sorted(self._connections.values(), key=lambda connection: connection.info.index)

    @property
    def live(self) -> int:
        """The number of connections."""
        return len(self._connections)

    # Datagrams

    def _from_client(self, data: bytes, client: Peer) -> None:
        connection = self._connections.get(client)
        if self._black_holes:
            self._swallowed += 1
        elif connection is not None:
            self._carry(connection.upstream, data)
        elif (connection := self._accept(client)) is not None:
            self._carry(connection.upstream, data)
            self._waiters.changed()

    def _from_service(self, connection: Connection, data: bytes) -> None:
        if self._black_holes:
            self._swallowed += 1
        else:
            self._carry(connection.downstream, data)

    def _carry(self, pipe: Pipe, data: bytes) -> None:
        now = clock()
        pipe.connection.active_at = now
        self._arrived.append((pipe, data, pipe.came, now, pipe.stages))
        pipe.came += 1
        if self._is_passing:
            return
        self._is_passing = True
        try:
            while self._arrived:
                self._pass(*self._arrived.popleft())
        finally:
            self._is_passing = False
        self._sender.release()

    def _pass(self, pipe: Pipe, data: bytes, number: int, came: float, stages: tuple[Stage, ...]) -> None:
        if not stages:
            self._sender.add(data, came, (), pipe)
            return
        index, direction = pipe.connection.info.index, pipe.direction

        def note(stage: Stage, text: str) -> None:
            self.log.note("fault", index, direction, stage.name, text)

        try:
            parcels = pass_through([stage for stage in stages if not stage.is_off], data, number, came, note)
        except ToxicRaisedError as failure:
            stage, error = failure.stage, failure.__cause__
            assert error is not None
            outcome = f"lost datagram {number}: "
            self.log.toxic_failed(index, direction, stage.name, stage.toxic.source, error, outcome=outcome)
        else:
            if parcels != [(data, ())]:
                self.log.act()
            for sent, delays in parcels:
                self._sender.add(sent, came, delays, pipe)

    def _catch_up(self) -> None:
        """Read the datagrams that have arrived."""
        self._port.drain(_TAKEN)
        for connection in self.connections:
            connection.endpoint.drain(_TAKEN)

    # Clients

    def _accept(self, client: Peer) -> Connection | None:
        info = ConnectionInfo(next(self._indexes), f"{client[0]}:{client[1]}")
        self.log.accepted(info.index, info.client)
        try:
            sock = _connected(*self._service)
        except OSError as error:
            self._not_made(info.index, error)
            return None

        def received(data: bytes, _: Peer) -> None:
            self._from_service(connection, data)

        endpoint = Endpoint(sock, received, lambda error: self._refused(connection, error))
        connection = Connection(info, client, self._port, endpoint)
        connection.opening = self._create_task(self._open(connection), f"proxy connection {info.index}")
        self._connections[client] = connection
        self._strike_all(connection)
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(self.settings.idle_timeout, self._forget_idle)
        return connection

    async def _open(self, connection: Connection) -> None:
        try:
            await connection.endpoint.open()
        except OSError as error:
            self._not_made(connection.info.index, error)

    def _forget_idle(self) -> None:
        """End connections that have been idle for too long, as a router does."""
        self._idle_timer = None
        now = clock()
        for connection in self.connections:
            if connection.held:
                connection.active_at = now
            elif connection.active_at + self.settings.idle_timeout <= now:
                self._end(connection)
        if self._connections:
            earliest = min(connection.active_at for connection in self._connections.values())
            left = earliest + self.settings.idle_timeout - now
            self._idle_timer = self._loop.call_later(max(left, 0.001), self._forget_idle)

    def _end(self, connection: Connection) -> None:
        del self._connections[connection.client]
        self.log.note("closed", connection.info.index)
        connection.is_open = False
        ending = self._create_task(connection.close(), f"end of proxy connection {connection.info.index}")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        if not self._connections and self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        self._forget(connection)

    # Toxics

    def _start(self, connection: Connection, toxic: Toxic, name: str, direction: FlowDirection) -> Stage:
        rng = DatagramRng(self._seed, connection.info.index, direction, name)
        stage = Stage(toxic, Flow(connection.info, direction, rng), rng, name)
        pipe = connection.pipe(direction)
        pipe.stages = (*pipe.stages, stage)
        return stage

    def _stop(self, stages: Mapping[int, Sequence[Stage]]) -> None:
        for stage in (stage for own in stages.values() for stage in own):
            stage.is_off = True
        for connection in self._connections.values():
            for pipe in (connection.upstream, connection.downstream):
                pipe.stages = tuple(stage for stage in pipe.stages if not stage.is_off)
        self._sender.refresh()

    @contextmanager
    def unreachable(self) -> Generator[None, None, None]:
        """Lose all datagrams from either side until the block ends."""
        self._catch_up()
        self._black_holes += 1
        before = self._swallowed
        self.log.note("link", detail="unreachable")
        try:
            yield
        finally:
            self._catch_up()
            self._black_holes -= 1
            self.log.note("link", detail=f"unreachable no more; {self._swallowed - before} datagrams were lost")

    # Errors

    def _when_failed(self, connection: Connection, toxic: Toxic, name: str, error: BaseException) -> None:
        """Report an exception of a `when`. The connection gets none of the toxics that were applied with it."""
        index, shown = connection.info.index, summary(error)
        party = (f"when of {name}", location_of(toxic.when))
        self.log.note("error", index, detail=f"when: {shown}")
        self.log.report(f"The `when` of a toxic raised on connection #{index}: {shown}", error, party)

    def _not_made(self, index: int, error: OSError) -> None:
        self.log.note("refused", index, detail=str(error))
        self.log.report(f"Connection #{index} could not be made to {self._shown}: {error}", error, connection=index)

    def _refused(self, connection: Connection, error: OSError) -> None:
        """Report, once for each connection, that the kernel received an ICMP error: nothing listens there."""
        if connection.is_open and not connection.is_refused:
            connection.is_refused = True
            index = connection.info.index
            self.log.note("refused", index, "upstream", detail=str(error))
            self.log.report(f"Connection #{index} found no service at {self._shown}: {error}", error, connection=index)

    def _port_failed(self, error: OSError) -> None:
        if not isinstance(error, ConnectionRefusedError):  # a client is gone, but the port works
            self.log.note("error", detail=str(error))
            self.log.report(f"The port of the proxy failed: {error}", error)

    def _not_sent(self, pipe: Pipe, data: bytes, error: OSError) -> None:
        info = pipe.connection.info
        where = self._shown if pipe.direction == "upstream" else info.client
        what = f"a datagram of {len(data)} bytes could not be sent to {where}: {error}"
        self.log.note("error", info.index, pipe.direction, detail=what)
        self.log.report(f"On connection #{info.index} {what}", error, connection=info.index)

    @property
    def _shown(self) -> str:
        return "{}:{}".format(*self.settings.upstream)


def _connected(family: int, target: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.connect(target)  # nothing is sent yet
    except BaseException:
        sock.close()
        raise
    return sock
