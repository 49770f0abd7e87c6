"""The record of one proxy: the events in order, and the errors that the test should see.

Only records. Invariants:
1. An error of the proxy itself (the service refused, or a toxic raised) stays in `errors` until it is handled.
2. An error of a connection concerns the test in which the connection was accepted. If that test has ended, or called
   `take_errors` while the connection was being made, the error is only an event.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias, final

from looprig.exceptions import ProxyError, summary
from looprig.location import Location, location_of
from looprig.net.faults.events import EventKind, EventLog, ProxyEvent
from looprig.net.faults.watch import current_watch
from looprig.runtime.clock import now
from looprig.toxics.flow import FlowDirection

__all__ = ["FaultLog", "Party"]

Party: TypeAlias = tuple[str, Location]
"""A name and the location of its declaration."""

_ACTS: Final = frozenset({"ended", "disconnected", "reset", "error"})


@final
class FaultLog:
    """The record of one proxy. `owner` is the entry for the proxy in errors."""

    __slots__ = ("_acted_in", "_first", "_first_in", "_taken", "_watch", "began", "errors", "events", "owner")

    def __init__(self, owner: Party) -> None:
        self.began: Final = now()
        """The time that events count from, in seconds of the system's monotonic clock."""
        self._watch = current_watch()
        self._acted_in = -1
        self._first_in = self._test  # the test that accepted the newest connection, and its first connection
        self._first = 0
        self._taken: set[int] = set()
        self.errors: Final[list[ProxyError]] = []
        self.events: Final = EventLog()
        self.owner: Final = owner

    @property
    def _test(self) -> int:
        return 0 if self._watch is None else self._watch.test

    def accepted(self, connection: int, client: str) -> None:
        """Add an event: the connection with this index was accepted."""
        if self._first_in != self._test:
            self._first_in, self._first = self._test, connection
            self._taken.clear()
        self.note("accepted", connection, detail=f"from {client}" if client else "")

    def _concerns_test(self, connection: int) -> bool:
        return self._first_in == self._test and connection >= self._first and connection not in self._taken

    def take_errors(self) -> list[ProxyError]:
        """Return the errors so far, which count as handled from now on."""
        taken = list(self.errors)
        self.errors.clear()
        return taken

    def forgive(self, connections: Iterable[int]) -> None:
        """Count further errors of these connections as handled."""
        self._taken.update(connections)

    def act(self) -> None:
        """Record that a toxic or the test interfered with the traffic."""
        self._acted_in = self._test

    @property
    def has_acted(self) -> bool:
        """Whether a toxic or the test has interfered with the traffic during the running test."""
        return self._acted_in == self._test

    def note(
        self,
        kind: EventKind,
        connection: int | None = None,
        direction: FlowDirection | None = None,
        toxic: str = "",
        detail: str = "",
    ) -> None:
        """Add an event on the connection with this index."""
        if kind in {"fault", "link"} or (toxic and kind in _ACTS):
            self.act()
        self.events.add(ProxyEvent(now() - self.began, kind, connection, direction, toxic, detail))

    def report(self, what: str, cause: BaseException | None, *parties: Party, connection: int | None = None) -> None:
        """Add an error that fails the test, unless it is on a connection that doesn't concern the test."""
        if connection is not None and not self._concerns_test(connection):
            return
        fix = "If the test expects that, let it take the error: proxy.take_errors()."
        error = ProxyError(f"{what}.", (*parties, self.owner), fix)
        error.__cause__ = cause
        self.errors.append(error)

    def toxic_failed(
        self,
        connection: int,
        direction: FlowDirection | None,
        name: str,
        function: object,
        error: BaseException,
        *,
        outcome: str = "",
        is_off: bool = False,
    ) -> None:
        """Record that the suite's own code in a toxic raised. `outcome` says what happened to the data.

        A removed toxic may still raise, since it may await something. Such an error concerns the connection's own test.
        """
        shown = summary(error)
        self.note("error", connection, direction, name, f"{outcome}{shown}")
        party = (getattr(function, "__qualname__", repr(function)), location_of(function))
        self.report(
            f"{name} raised on connection #{connection}: {shown}",
            error,
            party,
            connection=connection if is_off else None,
        )
