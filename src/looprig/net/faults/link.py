"""The common part of running proxies: the applied toxics, the connections that have them, and waiting for connections.

Carries no data: `net.tcp.link` and `net.udp.link` do. Invariants:
1. A toxic applies to all connections, existing and new, until its block ends.
2. A connection gets toxics in the order in which they were applied. If the suite's own code in a `when` leaves the
   block or resets the connection, that takes effect at once.
3. Tasks of the proxy run in the context in which it was opened, not in that of the running test.
4. Closing the proxy wakes everything that waits for it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from itertools import count
from typing import Any, Final, Generic, Protocol, TypeVar

from looprig.exceptions import LooprigError
from looprig.net.faults.application import Application
from looprig.net.faults.log import FaultLog, Party
from looprig.net.faults.waiters import Waiters
from looprig.toxics.flow import FlowDirection
from looprig.toxics.rule import ConnectionInfo, Direction, Rule

__all__ = ["FaultLink", "LinkConnection"]


class LinkConnection(Protocol):
    """The part of a connection that its link uses."""

    @property
    def info(self) -> ConnectionInfo:
        """The facts about the connection that toxics receive."""
        ...

    @property
    def takes_toxics(self) -> bool:
        """Whether toxics can still be added: the connection has not ended, and is not about to end."""
        ...


_DIRECTIONS: Final[Mapping[Direction, tuple[FlowDirection, ...]]] = {
    "upstream": ("upstream",),
    "downstream": ("downstream",),
    "both": ("upstream", "downstream"),
}

C = TypeVar("C", bound=LinkConnection)
R = TypeVar("R", bound=Rule)
S = TypeVar("S")
T = TypeVar("T")


class FaultLink(ABC, Generic[C, R, S]):
    """The base class of links with connections `C`, toxics `R`, and stages `S`, which are toxics on one direction."""

    def __init__(self, owner: Party, seed: int) -> None:
        self._context = copy_context()
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._on: dict[Application[R], dict[int, list[S]]] = {}
        """The stages of each connection, by index."""
        self._owner: Final = owner
        self._seed: Final = seed
        self._waiters: Final = Waiters()
        self._indexes: Final = count()
        self.log: Final = FaultLog(owner)

    # Implemented for each protocol

    @property
    @abstractmethod
    def connections(self) -> list[C]:
        """The connections that are not over, in the order in which they came."""

    @property
    @abstractmethod
    def live(self) -> int:
        """The number of connections that are established from end to end."""

    @property
    def unmade(self) -> Iterable[int]:
        """The indexes of the connections that are being made."""
        return ()

    @abstractmethod
    def _start(self, connection: C, toxic: R, name: str, direction: FlowDirection) -> S:
        """Add a toxic to one direction of a connection."""

    @abstractmethod
    def _stop(self, stages: Mapping[int, Sequence[S]]) -> None:
        """Remove toxics from the connections with these indexes."""

    @abstractmethod
    def _when_failed(self, connection: C, toxic: R, name: str, error: BaseException) -> None:
        """Report an exception that the `when` of a toxic raised."""

    def _catch_up(self) -> None:
        """Process the data that has arrived, before toxics change."""

    # Toxics

    @contextmanager
    def applied(self, toxics: Sequence[R]) -> Generator[Application[R], None, None]:
        """Apply toxics to all connections until the block ends."""
        self._catch_up()
        application = self._apply(toxics)
        try:
            self._put_on(application)
            yield application
        finally:
            if application in self._on:  # otherwise the proxy has ended before the block
                self._catch_up()
                self._take_off(application)

    def _apply(self, toxics: Sequence[R]) -> Application[R]:
        """Add toxics to new connections."""
        taken = [name for application in self._on for _, name in application.toxics]
        application = Application(toxics, self._seed, taken)
        self._on[application] = {}
        for toxic, name in application.toxics:
            self.log.note("toxic", detail=f"{name}: {toxic}")
        return application

    def _put_on(self, application: Application[R]) -> None:
        for connection in self.connections:
            self._strike(application, connection)

    def _strike_all(self, connection: C) -> None:
        """Add the currently applied toxics to a new connection."""
        for application in tuple(self._on):
            self._strike(application, connection)

    def _strike(self, application: Application[R], connection: C) -> None:
        struck: list[tuple[R, str]] = []
        for number, (toxic, name) in enumerate(application.toxics):
            if not self._is_for(application, connection):
                return
            try:
                if application.strikes(number, connection.info):
                    struck.append((toxic, name))
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - a suite's own predicate, which may call pytest.fail
                self._when_failed(connection, toxic, name, error)
                return
        for toxic, name in struck:
            if not self._is_for(application, connection):
                return
            index = connection.info.index
            only = None if toxic.direction == "both" else toxic.direction
            self.log.note("toxic", index, only, name, "is on")
            stages = self._on[application].setdefault(index, [])
            stages += [self._start(connection, toxic, name, direction) for direction in _DIRECTIONS[toxic.direction]]

    def _is_for(self, application: Application[R], connection: C) -> bool:
        return application in self._on and connection.takes_toxics

    def _take_off(self, application: Application[R]) -> None:
        for _, name in application.toxics:
            self.log.note("toxic off", toxic=name)
        self._stop(self._on.pop(application))

    def _forget(self, connection: C) -> None:
        """Forget the stages of a connection that is over."""
        for stages in self._on.values():
            stages.pop(connection.info.index, None)
        self._waiters.changed()

    # Waiting and tasks

    async def wait_connections(self, count: int) -> None:
        """Wait until at least `count` connections are live, or, with 0, until none is left.

        Raises:
            LooprigError: the proxy ended first.
        """

        def is_so() -> bool:
            return self.live >= count if count else not self.connections

        await self._waiters.until(lambda: is_so() or (self._is_closed and count > 0))
        if not is_so():
            raise LooprigError(f"The proxy ended while {count} connections were waited for.", [self._owner])

    def _create_task(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        return self._loop.create_task(work, name=name, context=self._context.copy())
