"""The events of a proxy: what happened, when, on which connection, and because of which toxic.

Decides nothing. Invariants:
1. The list of what toxics did to one connection (`faults`) contains no times or chunks: the same seed and the same
   bytes give the same lines.
2. A log keeps the newest `KEPT` events, and counts all events.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, final

from looprig.toxics.flow import FlowDirection

__all__ = ["KEPT", "EventKind", "EventLog", "ProxyEvent"]

KEPT: Final = 100_000

EventKind = Literal[
    "accepted",  # a client came
    "connected",  # the service took the connection too
    "refused",  # the service did not; a TCP client is reset
    "toxic",  # the connection got a toxic
    "fault",  # something that a toxic did
    "toxic off",  # a toxic was removed
    "ended",  # one direction ended gracefully
    "disconnected",  # a toxic or the test ended both directions gracefully
    "reset",  # both sides were reset
    "closed",  # nothing is left of the connection
    "error",  # a toxic raised
    "link",  # something about all connections: down, unreachable ...
]


@final
@dataclass(frozen=True, slots=True)
class ProxyEvent:
    """One event. `at` is in seconds since the proxy started, `connection` is the index of the connection."""

    at: float
    kind: EventKind
    connection: int | None = None
    direction: FlowDirection | None = None
    toxic: str = ""
    detail: str = ""

    @property
    def fault(self) -> str:
        """The text of the event, without its time and connection."""
        if self.kind == "link":
            return self.detail
        return " ".join(filter(None, (self.direction or "", self.kind, self.toxic, self.detail)))

    def __str__(self) -> str:
        who = "link" if self.connection is None else f"#{self.connection}"
        return f"{self.at:9.4f} s  {who:>6}  {self.fault}"


@final
class EventLog:
    """The newest events of one proxy."""

    __slots__ = ("_events", "count")

    def __init__(self) -> None:
        self._events: deque[ProxyEvent] = deque(maxlen=KEPT)
        self.count: int = 0
        """The number of events so far, including those that are no longer kept."""

    def add(self, event: ProxyEvent) -> None:
        """Add an event."""
        self._events.append(event)
        self.count += 1

    def __iter__(self) -> Iterator[ProxyEvent]:
        return iter(self._events)

    def since(self, count: int) -> list[ProxyEvent]:
        """Return the events that came after the first `count`."""
        wanted = min(self.count - count, len(self._events))
        return list(self._events)[len(self._events) - wanted :]

    def faults(self, connection: int) -> tuple[str, ...]:
        """Return what toxics did to one connection: first its toxics, then what they did to each direction, in order.

        If a toxic ended the connection, the other direction is left out, since its progress depends on timing.
        """
        own = [event for event in self._events if event.connection == connection and event.toxic]
        end = next((event for event in own if event.kind in {"reset", "disconnected"}), None)
        if end is not None:
            own = [event for event in own if event.kind == "toxic" or event.direction == end.direction]
        own.sort(key=lambda event: (event.kind != "toxic", ("upstream", "downstream", None).index(event.direction)))
        return tuple(event.fault for event in own)
