"""The record of one proxy: the events in order, and the errors that the test should see.

Acts on nothing. Invariant: an error of the proxy itself (the service refused, a toxic raised) stays in `errors` until
it is handled.
"""

import time
from typing import Final, TypeAlias, final

from looprig.exceptions import ProxyError, summary
from looprig.location import Location, location_of
from looprig.net.faults.events import EventKind, EventLog, ProxyEvent
from looprig.toxics.flow import FlowDirection

__all__ = ["FaultLog", "Party"]

Party: TypeAlias = tuple[str, Location]
"""A name, and where it was declared."""


@final
class FaultLog:
    """The record of one proxy; `owner` is how errors list that proxy."""

    __slots__ = ("_began", "_owner", "errors", "events")

    def __init__(self, owner: Party) -> None:
        self._began = time.monotonic()
        self._owner = owner
        self.errors: Final[list[ProxyError]] = []
        self.events: Final = EventLog()

    def note(
        self,
        kind: EventKind,
        connection: int | None = None,
        direction: FlowDirection | None = None,
        toxic: str = "",
        detail: str = "",
    ) -> None:
        """Add an event, of the connection of this index."""
        self.events.add(ProxyEvent(time.monotonic() - self._began, kind, connection, direction, toxic, detail))

    def report(self, what: str, cause: BaseException | None, *parties: Party) -> None:
        """Add an error for the test to see."""
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
    ) -> None:
        """Record that the suite's own code in a toxic raised; `outcome` says what became of the data."""
        shown = summary(error)
        self.note("error", connection, direction, name, f"{outcome}{shown}")
        party = (getattr(function, "__qualname__", repr(function)), location_of(function))
        self.report(f"{name} raised on connection #{connection}: {shown}", error, party)
