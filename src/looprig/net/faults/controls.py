"""The user's controls of a proxy of either protocol: apply toxics, look at events.

Carries no data (a `FaultLink` does). Invariants:
1. A fault is a `with` block: leaving it undoes it.
2. An error of the proxy itself fails the test, or is raised when the proxy ends, unless `take_errors` returned it.
3. A proxy takes only toxics for its own protocol; type checkers check that, and so does `apply`.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar, final

from looprig._short_names import short_names
from looprig.declare.fields_meta import Configured, check_fields, config_field
from looprig.declare.values import COUNT, TEXT, WHOLE, Check, check_values
from looprig.exceptions import LooprigError, ProxyError
from looprig.location import Location, caller_location, location_of
from looprig.net.address import Address
from looprig.net.faults.application import Application, checked
from looprig.net.faults.block import Block
from looprig.net.faults.events import ProxyEvent
from looprig.net.faults.link import FaultLink
from looprig.net.faults.log import FaultLog, Party
from looprig.net.faults.watch import Watch, current_watch
from looprig.net.ports import localhost
from looprig.toxics.rule import Rule

__all__ = ["AnyLink", "Applied", "FaultControls"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_SHOWN: Final = 200
"""Maximum number of events in a rendered log."""

AnyLink: TypeAlias = FaultLink[Any, Any, Any]

T = TypeVar("T", bound=Rule)
L = TypeVar("L", bound=AnyLink)
B = TypeVar("B")


@final
class Applied:
    """The result of `apply`: which connections got its toxics."""

    __slots__ = ("_application",)

    def __init__(self, application: Application[Any]) -> None:
        self._application = application

    @property
    def struck(self) -> tuple[int, ...]:
        """The indexes of the connections that got at least one of the toxics, in ascending order."""
        return tuple(sorted(self._application.struck))


@final
class _Observed:
    """The implementation of `Watched` for a proxy, which its watch uses."""

    def __init__(self, proxy: "FaultControls[Any, Any]", log: FaultLog) -> None:
        self._log = log
        self._proxy = proxy
        self.began: float = log.began
        self.label: str = log.owner[0]
        self.seed: int | None = proxy.seed

    @property
    def event_count(self) -> int:
        return self._proxy.event_count

    @property
    def events(self) -> Sequence[ProxyEvent]:
        return self._proxy.events

    def take_errors(self) -> list[ProxyError]:
        return self._log.take_errors()

    def render(self, *, since: int) -> str:
        return self._proxy.render(since=since) if self._log.has_acted else ""


@short_names
@dataclass(kw_only=True, eq=False, repr=False)
class FaultControls(Configured, ABC, Generic[T, L]):
    """The base class of proxies that accept toxics `T` and have a link `L` while they run."""

    _checks: ClassVar[Mapping[str, Check]] = {"host": TEXT, "seed": WHOLE.or_none()}
    _protocol: ClassVar[str]

    host: str = config_field(factory=localhost)
    seed: int | None = config_field(None)
    toxics: Sequence[T] = config_field(())
    _last: L | None = field(default=None, init=False)
    _link: L | None = field(default=None, init=False)
    _observed: "_Observed | None" = field(default=None, init=False)
    _watch: Watch | None = field(default=None, init=False)

    # Implemented for each protocol

    @abstractmethod
    def _toxic_type(self) -> type[T]:
        """Return the base class of the toxics that it accepts."""

    @abstractmethod
    async def _begin(self, toxics: Sequence[T], seed: int, owner: Party) -> L:
        """Open the proxy's link."""

    @abstractmethod
    async def _end(self, link: L) -> None:
        """Close the proxy's link."""

    @abstractmethod
    def _where(self, link: L) -> tuple[str, int] | str:
        """Return the address on which a link listens."""

    @property
    @abstractmethod
    def address(self) -> Address:
        """Host and port, for clients."""

    # Life

    def _check_configuration(self) -> None:
        owner = self._party()
        check_fields(self, owner[0], [owner])
        checked(self._toxic_type(), self.toxics, self._protocol, owner)

    async def _open(self) -> None:
        owner = self._party()
        if self._link is not None:
            raise LooprigError(f"{owner[0]} is already running.", [owner])
        self._check_configuration()  # fields may have changed since it was created
        toxics = checked(self._toxic_type(), self.toxics, self._protocol, owner)
        watch = current_watch()
        if self.seed is None:
            self.seed = secrets.randbits(32) if watch is None else watch.seed
        self._link = self._last = await self._begin(toxics, self.seed, owner)
        if watch is not None:
            self._watch, self._observed = watch, _Observed(self, self._link.log)
            watch.begin(self._observed)

    async def _close(self, failure: BaseException | None = None) -> None:
        """End the proxy. `failure` is the error that ends it, if any."""
        watch, self._watch = self._watch, None
        if watch is not None and self._observed is not None:
            watch.end(self._observed)
        link, self._link = self._link, None
        if link is not None:
            await self._end(link)
        if failure is not None and not isinstance(failure, Exception):
            # A cancellation must not become an error. In a test run, the watch fails the test for the errors. Outside
            # one, add them as notes.
            for error in self.take_errors() if watch is None else ():
                failure.add_note(f"Besides, in a proxy: {error}")
            return
        errors = self.take_errors()
        if errors:
            raise ExceptionGroup(f"{self._label()} had unhandled errors", errors)

    def _label(self) -> str:
        return type(self).__qualname__

    def _declared_at(self) -> Location:
        return location_of(type(self))

    def _party(self) -> Party:
        return self._label(), self._declared_at()

    def _running(self) -> L:
        if self._link is None:
            fix = "Use it inside `async with`, or take it from its fixture."
            raise LooprigError(f"{self._label()} isn't running, so it can't be used.", [self._party()], fix)
        return self._link

    @property
    def port(self) -> int:
        """The port for clients."""
        return self.address.port

    # Faults

    def apply(self, *toxics: T) -> AbstractContextManager[Applied]:
        """Apply toxics to all connections, including new ones, until the block ends.

            with proxy.apply(Latency(0.2), Reset(after_bytes=1000, first=1)) as applied:
                ...
            assert applied.struck == (0,)

        Data passes through the toxics in this order, after those that are already applied. Blocks can be nested. Data
        that a toxic holds back is sent on when the toxic is removed: it is neither lost nor duplicated.

        Raises `DeclarationError` for anything that isn't a toxic for this protocol.
        """
        self._running()
        at = caller_location()
        chosen = checked(self._toxic_type(), toxics, self._protocol, (f"{self._label()}.apply", at))
        return self._block(self._applied(chosen), f"apply({', '.join(map(str, chosen))})", at)

    @contextmanager
    def _applied(self, toxics: Sequence[T]) -> Generator[Applied, None, None]:
        with self._running().applied(toxics) as application:
            yield Applied(application)

    def _block(self, inner: AbstractContextManager[B], call: str, at: Location) -> AbstractContextManager[B]:
        """Return a context manager that enters `inner`, and reports an error if it is never entered itself."""
        log = self._running().log
        party = (f"{self._label()}.{call}", at)

        def forgotten() -> None:
            log.errors.append(
                ProxyError(f"{party[0]} was never entered, so it did nothing.", [party], f"Write `with ...{call}:`.")
            )

        return Block(inner, forgotten)

    # What happened

    async def wait_connections(self, count: int) -> None:
        """Wait, without a time limit, until at least `count` connections are open, or, with 0, until none is left.

        Raises `LooprigError` if the proxy ends first.
        """
        check_values(f"{self._label()}.wait_connections", [("count", count, COUNT)])
        await self._running().wait_connections(count)

    @property
    def events(self) -> tuple[ProxyEvent, ...]:
        """The events so far, at most the newest 100,000. They stay available after the proxy has ended."""
        return () if self._last is None else tuple(self._last.log.events)

    @property
    def event_count(self) -> int:
        """The number of events so far."""
        return 0 if self._last is None else self._last.log.events.count

    def faults(self, connection: int) -> tuple[str, ...]:
        """Return what toxics did to the connection with this index. This depends only on the seed and the bytes."""
        return () if self._last is None else self._last.log.events.faults(connection)

    def take_errors(self) -> list[ProxyError]:
        """Return the errors of the proxy itself so far, which count as handled from now on.

        This includes later errors of connections that are still being made.

        Unhandled ones fail the running test, or are raised when the proxy ends.
        """
        if self._last is None:
            return []
        self._last.log.forgive(self._last.unmade)
        return self._last.log.take_errors()

    def render(self, *, since: int = 0) -> str:
        """Return the log of events as text, without the first `since` events, in at most 200 lines."""
        if self._last is None:
            return f"{self._label()} was not started."
        events = self._last.log.events.since(since)
        cut = [f"  ... ({len(events) - _SHOWN} before)"] if len(events) > _SHOWN else []
        lines = [f"{self._label()}, seed {self.seed}:", *cut, *(f"  {each}" for each in events[-_SHOWN:])]
        return "\n".join(lines)

    def __repr__(self) -> str:
        if self._link is None:
            return f"<{self._label()}: not running>"
        where = self._where(self._link)
        shown = f"{where[0]}:{where[1]}" if isinstance(where, tuple) else where
        return f"<{self._label()}: {shown}>"
