"""The delay line of one direction: it holds data, in order, until it is due.

Does not know the time, and writes nothing. Pure.

Invariants:
1. First in, first out: data that is due early still waits for the data before it.
2. A delay belongs to the toxic that requested it, and ends with that toxic. So arrival times and delays are stored
   separately.
"""

import enum
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, final

from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["DelayLine", "Delays", "Mark", "Stage", "time_of"]


class Alarm(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Cancel the call."""


Delays: TypeAlias = "tuple[tuple[Stage, float], ...]"
"""The toxics that delay an item, each with its number of seconds."""


@final
class Stage:
    """One toxic on one direction of one connection.

    Its time (`flow.now`) never goes back. When a toxic before it is removed, later chunks arrive sooner than they would
    have, so its clock is put forward by the difference.
    """

    __slots__ = ("_ahead", "_latest", "act", "alarms", "flow", "has_dropped", "is_off", "name", "paused_until", "toxic")

    def __init__(self, toxic: Toxic, flow: Flow, name: str, act: Callable[[], object]) -> None:
        self._ahead = 0.0
        self._latest: Delays = ()
        self.act: Final = act
        """Called when the toxic does anything except send data on unchanged."""
        self.alarms: Final[list[Alarm]] = []
        self.flow: Final = flow
        self.has_dropped: bool = False
        """Whether the toxic lost bytes."""
        self.is_off: bool = False
        self.name: Final = name
        self.paused_until: float = 0.0
        """The time until which the toxic keeps its direction from being read."""
        self.toxic: Final = toxic

    def receive(self, came: float, delays: Delays) -> Delays:
        """Handle the arrival of an item at this toxic, and return its delays, including its wait for earlier items.

        Such a wait belongs to the toxics that delayed the earlier item more than this one, and ends with them.
        """
        delays = living(delays)
        now = time_of(came, delays) + self._ahead
        wait = self.flow.now - now
        if wait > 0:
            delays += self._blame(wait, delays)
        else:
            self.flow.now = now
        self._latest = delays
        return delays

    def _blame(self, wait: float, delays: Delays) -> Delays:
        blamed: list[tuple[Stage, float]] = []
        for stage in dict.fromkeys(stage for stage, _ in self._latest):
            part = min(wait, _of(stage, self._latest) - _of(stage, delays))
            if part > 0:
                blamed.append((stage, part))
                wait -= part
        return tuple(blamed)

    def go_on_without(self, stage: "Stage") -> None:
        """Continue as if a toxic before this one had never existed."""
        self._ahead += _of(stage, self._latest)
        self._latest = tuple(delay for delay in self._latest if delay[0] is not stage)

    def take_off(self) -> None:
        """End it."""
        self.is_off = True
        self.silence()

    def silence(self) -> None:
        """Cancel its scheduled calls."""
        while self.alarms:
            self.alarms.pop().cancel()


def time_of(came: float, delays: Delays) -> float:
    """Return the time at which an item that arrived at `came` is due: `came` plus all delays."""
    return came + sum(seconds for _, seconds in delays)


def living(delays: Delays) -> Delays:
    """Return the delays of toxics that are still applied."""
    return tuple(delay for delay in delays if not delay[0].is_off) if delays else delays


def _of(stage: Stage, delays: Delays) -> float:
    return sum(seconds for by, seconds in delays if by is stage)


class Mark(enum.Enum):
    """An entry in the line that isn't bytes: an end or a reset."""

    END = "this direction ends"
    CLOSE = "both directions end"
    ABORT = "reset"


@final
class _Held:
    __slots__ = ("by", "came", "delays", "due", "item")

    def __init__(self, came: float, item: bytes | Mark, delays: Delays, by: str) -> None:
        self.by = by
        self.came = came
        self.delays = delays
        self.due = time_of(came, delays)
        self.item = item


@final
class DelayLine:
    """Bytes and marks with the times at which they are due."""

    __slots__ = ("_held", "abort_by", "abort_due", "size")

    def __init__(self) -> None:
        self._held: deque[_Held] = deque()
        self.size: int = 0
        """Number of held bytes."""
        self.abort_by: str = ""
        self.abort_due: float | None = None
        """The time at which a reset in the line is due, even if the data before it could not be written."""

    def __bool__(self) -> bool:
        return bool(self._held)

    @property
    def due(self) -> float:
        """The time at which the head of the line is due. The line must not be empty."""
        return self._held[0].due

    def push(self, came: float, item: bytes | Mark, delays: Delays = (), by: str = "") -> None:
        """Append an item that arrived at `came`. If it is a mark, `by` is the toxic that made it."""
        self._held.append(_Held(came, item, living(delays), by))
        if isinstance(item, bytes):
            self.size += len(item)
        elif item is Mark.ABORT:
            self.abort_by = by
            self._find_abort()

    def pop(self) -> tuple[bytes | Mark, str]:
        """Remove the head, and return it with the toxic that made it."""
        held = self._held.popleft()
        if isinstance(held.item, bytes):
            self.size -= len(held.item)
        return held.item, held.by

    def refresh(self) -> None:
        """Drop the delays of removed toxics."""
        for held in self._held:
            held.delays = living(held.delays)
            held.due = time_of(held.came, held.delays)
        if self.abort_due is not None:
            self._find_abort()

    def clear(self) -> None:
        """Drop everything."""
        self._held.clear()
        self.size = 0
        self.abort_due = None

    def _find_abort(self) -> None:
        self.abort_due = max(held.due for held in self._held)  # nothing comes after a reset
