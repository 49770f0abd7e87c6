"""The link between UDP clients and one service: the port, the exchanges, the toxics on them, and what went wrong.

Does not know what is behind the address that it sends to. What users hold is in `controls`.

Invariants:
1. The port is bound before anyone is told of it, and stays ours until `close`.
2. What was sent before a toxic is put on or taken off has met the toxics of before: whatever has come is taken first.
3. When `close` has ended no socket, task or timer of the link is left.
4. An error of the proxy's own (nobody listens, a toxic raised) is in `errors` until somebody takes it.
"""

import asyncio
import socket
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast, final

from looprig.location import Location
from looprig.net.address import Address
from looprig.net.datagrams.proxy.course import Stage, ToxicRaisedError, through
from looprig.net.datagrams.proxy.departures import Departures, clock
from looprig.net.datagrams.proxy.endpoint import Endpoint, Peer
from looprig.net.datagrams.proxy.exchange import Exchange, Way
from looprig.net.datagrams.proxy.log import DatagramLog
from looprig.net.datagrams.proxy.rolls import Rolls
from looprig.net.ports import hold_port
from looprig.net.proxy.application import Application
from looprig.net.proxy.waiting import Waiting
from looprig.toxics.flow import Flow
from looprig.toxics.rule import ConnectionInfo
from looprig.toxics.udp.toxic import Toxic

__all__ = ["DatagramLink", "DatagramSettings"]

_TAKEN: Final = 10_000
"""Datagrams of one socket that are taken before something changes; a flood has no end."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramSettings:
    """What a link is made from. `idle_timeout` is in seconds."""

    upstream: tuple[str, int]
    host: str
    seed: int
    idle_timeout: float
    owner: tuple[str, Location]


@final
class DatagramLink:
    """One UDP proxy that runs."""

    def __init__(self, settings: DatagramSettings) -> None:
        self._applications: dict[Application, dict[int, list[tuple[Way, Stage]]]] = {}
        self._black_holes = 0
        self._context = copy_context()
        self._log: Final = DatagramLog(settings.owner, settings.upstream)
        self._departures = Departures(self._log.not_sent)
        self._exchanges: dict[Peer, Exchange] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._swallowed = 0
        self._waiting = Waiting()
        self.accepted: int = 0
        self.errors: Final = self._log.errors
        self.events: Final = self._log.events
        self.settings: Final = settings

    async def open(self, toxics: Sequence[Toxic]) -> None:
        """Finds the service's address, and begins to carry; `toxics` are on from the first datagram on."""
        host, port = self.settings.upstream
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, _, _, _, target = found[0]
        self._service = family, target
        if toxics:
            self._put_on(Application(toxics, self.settings.seed, ()))
        held = hold_port(self.settings.host, kind=socket.SOCK_DGRAM)
        self.address: Address = Address(held.host, held.port)
        self._port: Endpoint = Endpoint(held.socket, self._from_client, self._log.port_failed)
        await self._port.open()

    async def close(self) -> None:
        """Sends what is held, and lets go of everything."""
        self._drain()
        self._departures.flush()
        self._port.close()
        for exchange in list(self._exchanges.values()):
            self._end(exchange)
        if self._ending:
            await asyncio.wait(self._ending)
        await self._port.wait_closed()
        self._applications.clear()

    @property
    def connections(self) -> list[Exchange]:
        """Those that are not forgotten, in the order in which they came."""
        return sorted(self._exchanges.values(), key=lambda exchange: exchange.info.index)

    # Datagrams

    def _from_client(self, data: bytes, client: Peer) -> None:
        exchange = self._exchanges.get(client)
        if self._black_holes:
            self._swallowed += 1
        elif exchange is not None:
            self._carry(exchange.upstream, data)
        elif (exchange := self._accept(client)) is not None:
            self._carry(exchange.upstream, data)
            self._waiting.changed()

    def _from_service(self, exchange: Exchange, data: bytes) -> None:
        if self._black_holes:
            self._swallowed += 1
        else:
            self._carry(exchange.downstream, data)

    def _carry(self, way: Way, data: bytes) -> None:
        now = clock()
        way.exchange.active_at = now
        number, way.came = way.came, way.came + 1
        if way.stages:
            try:
                parcels = through(way.stages, data, number, now, partial(self._log.fault, way))
            except ToxicRaisedError as failure:
                self._log.toxic_failed(failure, way, number)
                parcels = []
        else:
            parcels = [(data, ())]
        for sent, delays in parcels:
            self._departures.add(sent, now, delays, way)
        self._departures.release()

    def _drain(self) -> None:
        """Takes what has come already and was not read yet."""
        self._port.drain(_TAKEN)
        for exchange in list(self._exchanges.values()):
            exchange.endpoint.drain(_TAKEN)

    # Clients

    def _accept(self, client: Peer) -> Exchange | None:
        info = ConnectionInfo(self.accepted, f"{client[0]}:{client[1]}")
        self.accepted += 1
        try:
            sock = _connected(*self._service)
        except OSError as error:
            self._log.not_made(info.index, error)
            return None

        def received(data: bytes, _: Peer) -> None:
            self._from_service(exchange, data)

        endpoint = Endpoint(sock, received, lambda error: self._log.refused(exchange, error))
        exchange = Exchange(info, client, self._port, endpoint)
        exchange.opening = self._spawn(self._open(exchange))
        self._exchanges[client] = exchange
        self._log.tell("accepted", info.index, f"from {info.client}")
        for application in self._applications:
            self._strike(application, exchange)
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(self.settings.idle_timeout, self._forget_idle)
        return exchange

    async def _open(self, exchange: Exchange) -> None:
        try:
            await exchange.endpoint.open()
        except OSError as error:
            self._log.not_made(exchange.info.index, error)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A task that is the proxy's own: one of the test that is running would be ended with the test."""
        return self._context.copy().run(self._loop.create_task, coroutine)

    def _forget_idle(self) -> None:
        """Ends exchanges in which nothing came for too long, as a router forgets them."""
        self._idle_timer = None
        now = clock()
        for exchange in list(self._exchanges.values()):
            if exchange.held:
                exchange.active_at = now
            elif exchange.active_at + self.settings.idle_timeout <= now:
                self._end(exchange)
        if self._exchanges:
            earliest = min(exchange.active_at for exchange in self._exchanges.values())
            left = earliest + self.settings.idle_timeout - now
            self._idle_timer = self._loop.call_later(max(left, 0.001), self._forget_idle)

    def _end(self, exchange: Exchange) -> None:
        del self._exchanges[exchange.client]
        for struck in self._applications.values():
            struck.pop(exchange.info.index, None)
        self._log.tell("closed", exchange.info.index, "")
        exchange.is_open = False
        ending = self._spawn(exchange.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        if not self._exchanges and self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        self._waiting.changed()

    # Toxics

    @contextmanager
    def applied(self, toxics: Sequence[Toxic]) -> Generator[Application, None, None]:
        """Puts toxics on the connections there are and those to come, for the length of a block."""
        taken = [name for application in self._applications for _, name in application.toxics]
        application = Application(toxics, self.settings.seed, taken)
        self._drain()
        self._put_on(application)
        try:
            yield application
        finally:
            self._drain()
            self._take_off(application)

    def _put_on(self, application: Application) -> None:
        for toxic, name in application.toxics:
            self._log.tell("toxic", None, f"{name}: {toxic}")
        self._applications[application] = {}
        for exchange in self.connections:
            self._strike(application, exchange)

    def _strike(self, application: Application, exchange: Exchange) -> None:
        struck = self._applications[application].setdefault(exchange.info.index, [])
        try:
            rules = [each for n, each in enumerate(application.toxics) if application.strikes(n, exchange.info)]
        except Exception as error:  # noqa: BLE001 - `when` is the suite's own: the test is told
            self._log.when_failed(exchange.info.index, error)
            return
        for rule, name in rules:
            toxic = cast("Toxic", rule)
            only = None if toxic.direction == "both" else toxic.direction
            self._log.tell("toxic", exchange.info.index, "is on", toxic=name, direction=only)
            for way in exchange.ways:
                if only in {None, way.direction}:
                    rolls = Rolls(self.settings.seed, exchange.info.index, way.direction, name)
                    stage = Stage(toxic, Flow(exchange.info, way.direction, rolls), rolls, name)
                    way.stages = (*way.stages, stage)
                    struck.append((way, stage))

    def _take_off(self, application: Application) -> None:
        for _, name in application.toxics:
            self._log.tell("toxic off", None, name)
        stages: set[Stage] = set()
        for struck in self._applications.pop(application, {}).values():
            for way, stage in struck:
                way.stages = tuple(other for other in way.stages if other is not stage)
                stages.add(stage)
        self._departures.take_off(stages)

    @contextmanager
    def unreachable(self) -> Generator[None, None, None]:
        """Loses all that comes from either side, for the length of a block."""
        self._drain()
        self._black_holes += 1
        before = self._swallowed
        self._log.tell("link", None, "unreachable")
        try:
            yield
        finally:
            self._drain()
            self._black_holes -= 1
            self._log.tell("link", None, f"unreachable no more; {self._swallowed - before} datagrams were lost")

    # Waiting

    async def wait_connections(self, count: int) -> None:
        """Waits until there are so many connections at least; with 0, until there is none."""

        def is_so() -> bool:
            return len(self._exchanges) >= count if count else not self._exchanges

        await self._waiting.until(is_so)


def _connected(family: int, target: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.connect(target)  # nothing is sent yet
    except BaseException:
        sock.close()
        raise
    return sock
