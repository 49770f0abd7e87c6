"""The record of one proxy: the events in order, and the errors that the test should see.

Acts on nothing. Invariants:
1. An error of the proxy itself (the service refused, a toxic raised) stays in `errors` until it is handled.
2. An error of a connection concerns the test in which the connection was accepted. Once that has ended, or has taken
   the proxy's errors while the connection was being made, it concerns nobody, and is an event alone.
"""

import time
from collections.abc import Iterable
from typing import Final, TypeAlias, final

from looprig.exceptions import ProxyError, summary
from looprig.location import Location, location_of
from looprig.net.faults.events import EventKind, EventLog, ProxyEvent
from looprig.net.faults.watch import current_watch
from looprig.toxics.flow import FlowDirection

__all__ = ["FaultLog", "Party"]

Party: TypeAlias = tuple[str, Location]
"""A name, and where it was declared."""

_ACTS: Final = frozenset({"ended", "disconnected", "reset", "error"})


@final
class FaultLog:
    """The record of one proxy; `owner` is how errors list that proxy."""

    __slots__ = ("_acted_in", "_began", "_first", "_first_in", "_owner", "_taken", "_watch", "errors", "events")

    def __init__(self, owner: Party) -> None:
        self._began = time.monotonic()
        self._owner = owner
        self._watch = current_watch()
        self._acted_in = -1
        self._first_in = self._test  # the test that accepted the newest connection, and its first one
        self._first = 0
        self._taken: set[int] = set()
        self.errors: Final[list[ProxyError]] = []
        self.events: Final = EventLog()

    @property
    def _test(self) -> int:
        return 0 if self._watch is None else self._watch.test

    def accepted(self, connection: int, client: str) -> None:
        """Add the event that the connection of this index was accepted."""
        if self._first_in != self._test:
            self._first_in, self._first = self._test, connection
            self._taken.clear()
        self.note("accepted", connection, detail=f"from {client}" if client else "")

    def _concerns_test(self, connection: int) -> bool:
        return self._first_in == self._test and connection >= self._first and connection not in self._taken

    def take_errors(self) -> list[ProxyError]:
        """Return the errors so far, which are handled from now on."""
        taken = list(self.errors)
        self.errors.clear()
        return taken

    def forgive(self, connections: Iterable[int]) -> None:
        """Count further errors of these connections as handled."""
        self._taken.update(connections)

    def act(self) -> None:
        """Take note that a toxic, or the test, did something to the traffic."""
        self._acted_in = self._test

    @property
    def has_acted(self) -> bool:
        """Whether a toxic, or the test, did something to the traffic during the running test."""
        return self._acted_in == self._test

    def note(
        self,
        kind: EventKind,
        connection: int | None = None,
        direction: FlowDirection | None = None,
        toxic: str = "",
        detail: str = "",
    ) -> None:
        """Add an event, of the connection of this index."""
        if kind in {"fault", "link"} or (toxic and kind in _ACTS):
            self.act()
        self.events.add(ProxyEvent(time.monotonic() - self._began, kind, connection, direction, toxic, detail))

    def report(self, what: str, cause: BaseException | None, *parties: Party, connection: int | None = None) -> None:
        """Add an error for the test to see, unless it is of a connection that doesn't concern that test."""
        if connection is not None and not self._concerns_test(connection):
            return
        fix = "If the test expects that, let it take the error: proxy.take_errors()."
        error = ProxyError(f"{what}.", (*parties, self._owner), fix)
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
        """Record that the suite's own code in a toxic raised; `outcome` says what became of the data.

        A toxic that is taken off may still raise, as it awaited something: that concerns the connection's own test.
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
