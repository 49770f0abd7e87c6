"""What users do with a proxy of any kind: apply toxics, look at what happened.

Does not carry anything (a link does), and does not know TCP from UDP: `controls` and `net.datagrams.proxy` do.

Invariants:
1. A fault is a `with` block: leaving it undoes it.
2. What went wrong in the proxy itself and nobody took (`take_errors`) is raised when it ends, or by the test before.
3. A proxy takes toxics of its own kind alone; type checkers see that, and so does `apply`.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, final

from looprig.declare.fields_meta import config_field
from looprig.exceptions import LooprigError, ProxyError
from looprig.location import Location, caller_location, location_of
from looprig.net.address import Address
from looprig.net.ports import localhost
from looprig.net.proxy.application import Application, checked
from looprig.net.proxy.block import Block
from looprig.net.proxy.events import EventLog, ProxyEvent
from looprig.net.proxy.watch import Watch, current_watch
from looprig.toxics.rule import Rule

__all__ = ["Applied", "FaultControls", "FaultLink"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_SHOWN: Final = 200
"""Events that a rendered log has at most."""


class FaultLink(Protocol):
    """A link that runs, as far as all proxies know it."""

    @property
    def errors(self) -> list[ProxyError]:
        """What went wrong in the proxy itself and nobody took yet."""
        ...

    @property
    def events(self) -> EventLog:
        """What happened."""
        ...

    def applied(self, toxics: Sequence[Any], /) -> AbstractContextManager[Application]:
        """Puts toxics on the connections there are and those to come, for the length of a block."""
        ...

    async def wait_connections(self, count: int, /) -> None:
        """Waits until so many connections are open at least; with 0, until there is none."""
        ...


T = TypeVar("T", bound=Rule)
L = TypeVar("L", bound=FaultLink)
B = TypeVar("B")


@final
class Applied:
    """What `apply` gives: the toxics it put on, and whom they met."""

    __slots__ = ("_application",)

    def __init__(self, application: Application) -> None:
        self._application = application

    @property
    def struck(self) -> tuple[int, ...]:
        """The indexes of the connections that got at least one of the toxics, in the order in which they came."""
        return tuple(sorted(self._application.struck))


@dataclass(kw_only=True, eq=False, repr=False)
class FaultControls(ABC, Generic[T, L]):
    """The base of proxies that take toxics of the kind `T` and have a link of the kind `L`."""

    host: str = config_field(factory=localhost)
    seed: int | None = config_field(None)
    toxics: Sequence[T] = config_field(())
    _last: L | None = field(default=None, init=False)
    _link: L | None = field(default=None, init=False)
    _watch: Watch | None = field(default=None, init=False)

    # What a kind of proxy says of itself

    _protocol: ClassVar[str]
    """"TCP" or "UDP", for messages."""

    @abstractmethod
    def _kind(self) -> type[T]:
        """The base of the toxics that it takes."""

    @abstractmethod
    async def _begin(self, toxics: Sequence[T], seed: int, owner: tuple[str, Location]) -> L:
        """A link that carries."""

    @abstractmethod
    async def _end(self, link: L) -> None:
        """Closes it."""

    @abstractmethod
    def _where(self, link: L) -> object:
        """Where it listens, to be shown."""

    @property
    @abstractmethod
    def address(self) -> Address:
        """Host and port, for clients."""

    # Life

    async def _open(self) -> None:
        if self._link is not None:
            raise LooprigError(f"{self._label()} is running already.", [(self._label(), self._declared_at())])
        owner = (self._label(), self._declared_at())
        toxics = checked(self._kind(), self.toxics, owner, self._protocol)
        watch = current_watch.get(None)
        if self.seed is None:
            self.seed = secrets.randbits(32) if watch is None else watch.seed
        self._link = self._last = await self._begin(toxics, self.seed, owner)
        if watch is not None:
            self._watch = watch
            watch.begin(self)

    async def _close(self, failure: BaseException | None = None) -> None:
        """Ends it; `failure` is what it ends because of, if that is something."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end(self)
        link, self._link = self._link, None
        if link is not None:
            await self._end(link)
        if failure is not None and not isinstance(failure, Exception):
            # A cancellation has to stay one. The errors are left for the test, or where there is none, noted.
            for error in self.take_errors() if watch is None else ():
                failure.add_note(f"Besides, in a proxy: {error}")
            return
        errors = self.take_errors()
        if errors:
            raise ExceptionGroup(f"{self._label()} had errors that nobody took", errors)

    def _label(self) -> str:
        return type(self).__qualname__

    def _declared_at(self) -> Location:
        return location_of(type(self))

    def _running(self) -> L:
        if self._link is not None:
            return self._link
        raise LooprigError(
            f"{self._label()} is not running, so nothing can be done with it.",
            [(self._label(), self._declared_at())],
            "Use it inside `async with`, or take it from its fixture.",
        )

    @property
    def port(self) -> int:
        """The port for clients."""
        return self.address.port

    # Faults of connections

    def apply(self, *toxics: T) -> AbstractContextManager[Applied]:
        """Puts toxics on the connections there are and on those to come, for the length of a block.

            with proxy.apply(Latency(0.2), Reset(after_bytes=1000, first=1)) as applied:
                ...
            assert applied.struck == (0,)

        What comes passes through the toxics in this order, after those that are on already. Blocks nest. What a toxic
        held back goes on when it is taken off: it is neither lost nor doubled.

        Raises `DeclarationError` for what is no toxic, or one of another kind.
        """
        self._running()
        at = caller_location()
        toxics_of = checked(self._kind(), toxics, (f"{self._label()}.apply", at), self._protocol)
        return self._block(self._applied(toxics_of), f"apply({', '.join(map(str, toxics_of))})", at)

    @contextmanager
    def _applied(self, toxics: Sequence[T]) -> Generator[Applied, None, None]:
        with self._running().applied(toxics) as application:
            yield Applied(application)

    def _block(self, inner: AbstractContextManager[B], call: str, at: Location) -> AbstractContextManager[B]:
        """A block that is an error where it is never entered."""
        link = self._running()

        def forgotten() -> None:
            what = f"{self._label()}.{call} was never entered, so it did nothing."
            party = (f"{self._label()}.{call}", at)
            link.errors.append(ProxyError(what, [party], f"Write `with ...{call}:`."))

        return Block(inner, forgotten)

    # What happened

    async def wait_connections(self, count: int) -> None:
        """Waits until `count` connections are open at least, or with 0 until there is none. It has no limit."""
        await self._running().wait_connections(count)

    @property
    def events(self) -> tuple[ProxyEvent, ...]:
        """What happened so far, the newest 100,000 of it; also after the proxy has ended."""
        return () if self._last is None else tuple(self._last.events)

    @property
    def told(self) -> int:
        """How many events there have been so far."""
        return 0 if self._last is None else self._last.events.told

    def faults(self, connection: int) -> tuple[str, ...]:
        """What toxics did to the connection of this index: the same for the same seed and the same bytes."""
        return () if self._last is None else self._last.events.faults(connection)

    def take_errors(self) -> list[ProxyError]:
        """What went wrong in the proxy itself so far, and counts as seen from now on.

        What nobody takes fails the test that is running, or else is raised when the proxy ends.
        """
        if self._last is None:
            return []
        errors = list(self._last.errors)
        self._last.errors.clear()
        return errors

    def render(self, *, since: int = 0) -> str:
        """The log of events as text, without the first `since` of them; 200 lines at most."""
        if self._last is None:
            return f"{self._label()} was not started."
        events = self._last.events.since(since)
        cut = [f"  ... ({len(events) - _SHOWN} before)"] if len(events) > _SHOWN else []
        lines = [f"{self._label()}, seed {self.seed}:", *cut, *(f"  {each}" for each in events[-_SHOWN:])]
        return "\n".join(lines)

    def __repr__(self) -> str:
        if self._link is None:
            return f"<{self._label()}: not running>"
        where = self._where(self._link)
        return (
            f"<{self._label()}: {where[0]}:{where[1]}>" if isinstance(where, tuple) else f"<{self._label()}: {where}>"
        )
