"""What happened to which connection, when, and by which toxic.

Does not decide anything. Invariants:
1. What toxics did to one connection (`faults`) tells no times and no chunks: the same seed and the same bytes give
   the same lines.
2. A log holds `KEPT` events at most, the newest ones, and says how many are not there any more.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

from looprig.exceptions import ProxyError
from looprig.location import Location
from looprig.toxics.flow import FlowDirection

__all__ = ["KEPT", "EventKind", "EventLog", "ProxyEvent", "proxy_error"]

KEPT: Final = 100_000

EventKind = Literal[
    "accepted",  # a client is there
    "connected",  # so is the service behind the proxy
    "refused",  # the service is not; the client is reset
    "toxic",  # a toxic is put on the connection
    "fault",  # what a toxic then did
    "toxic off",  # it is taken off
    "ended",  # one direction ended in good order
    "disconnected",  # both did, since a toxic or the test said so
    "reset",  # both broke off
    "closed",  # nothing is left of it
    "error",  # a toxic raised
    "link",  # the link as a whole: down, up, unreachable ...
]


@final
@dataclass(frozen=True, slots=True)
class ProxyEvent:
    """One thing that happened. `at` is in seconds since the proxy started; `connection` is its index."""

    at: float
    kind: EventKind
    connection: int | None = None
    direction: FlowDirection | None = None
    toxic: str = ""
    detail: str = ""

    @property
    def fault(self) -> str:
        """What happened, without the time and the connection."""
        if self.kind == "link":
            return self.detail
        return " ".join(filter(None, (self.direction or "", self.kind, self.toxic, self.detail)))

    def __str__(self) -> str:
        who = "link" if self.connection is None else f"#{self.connection}"
        return f"{self.at:9.4f} s  {who:>6}  {self.fault}"


@final
class EventLog:
    """The newest events of one proxy."""

    __slots__ = ("_events", "_told")

    def __init__(self) -> None:
        self._events: deque[ProxyEvent] = deque(maxlen=KEPT)
        self._told = 0

    def add(self, event: ProxyEvent) -> None:
        """One more."""
        self._events.append(event)
        self._told += 1

    @property
    def told(self) -> int:
        """How many there have been, those that are not kept included."""
        return self._told

    def __iter__(self) -> Iterator[ProxyEvent]:
        return iter(self._events)

    def since(self, told: int) -> list[ProxyEvent]:
        """Those that came after the first `told` ones."""
        count = min(self._told - told, len(self._events))
        return list(self._events)[len(self._events) - count :]

    def faults(self, connection: int) -> tuple[str, ...]:
        """What toxics did to one connection: which it had, then what they did to each direction, in order.

        Where a toxic ended the connection, what happened to other directions than its own is left out: how far those
        had come by then is a matter of time.
        """
        own = [event for event in self._events if event.connection == connection and event.toxic]
        end = next((event for event in own if event.kind in {"reset", "disconnected"}), None)
        if end is not None:
            own = [event for event in own if event.kind == "toxic" or event.direction == end.direction]
        own.sort(key=lambda event: (event.kind != "toxic", ("upstream", "downstream", None).index(event.direction)))
        return tuple(event.fault for event in own)


def proxy_error(what: str, parties: Sequence[tuple[str, Location]], cause: BaseException | None) -> ProxyError:
    """An error of a proxy itself, which a test may take."""
    fix = "If the test expects that, let it take the error: proxy.take_errors()."
    error = ProxyError(f"{what}.", parties, fix)
    error.__cause__ = cause
    return error
