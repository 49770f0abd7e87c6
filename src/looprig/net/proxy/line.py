"""The delay line of one direction: what is held, in its order, until it is due.

Does not know the time, and writes to nobody. Pure.

Invariants:
1. First in, first out. What is due early still waits for what is before it.
2. A delay belongs to the stage that asked for it, and goes with it.
"""

import enum
from collections import deque
from typing import Final, TypeAlias, final

from looprig.net.toxics.flow import Flow
from looprig.net.toxics.toxic import Toxic

__all__ = ["DelayLine", "Delays", "Mark", "Stage"]


@final
class Stage:
    """One toxic, at work on one direction of one connection."""

    __slots__ = ("flow", "has_dropped", "name", "paused_until", "toxic")

    def __init__(self, toxic: Toxic, flow: Flow, name: str) -> None:
        self.toxic: Final = toxic
        self.flow: Final = flow
        self.name: Final = name
        self.has_dropped: bool = False
        """Whether bytes were lost by it."""
        self.paused_until: float = 0.0
        """Until when nothing is to be read because of it."""


Delays: TypeAlias = tuple[tuple[Stage, float], ...]


class Mark(enum.Enum):
    """What can stand in the line beside bytes."""

    END = "this direction ends"
    CLOSE = "both directions end"
    ABORT = "reset"


@final
class _Held:
    __slots__ = ("by", "delays", "due", "item")

    def __init__(self, due: float, item: bytes | Mark, delays: Delays, by: str) -> None:
        self.due = due
        self.item = item
        self.delays = delays
        self.by = by


@final
class DelayLine:
    """Bytes and marks with the times at which they are due."""

    __slots__ = ("_held", "abort_by", "abort_due", "size")

    def __init__(self) -> None:
        self._held: deque[_Held] = deque()
        self.size: int = 0
        """Bytes that are held."""
        self.abort_by: str = ""
        self.abort_due: float | None = None
        """When a reset that stands in the line is due, whether or not what is before it could be written."""

    def __bool__(self) -> bool:
        return bool(self._held)

    @property
    def due(self) -> float:
        """When the head of the line, which must not be empty, is due."""
        return self._held[0].due

    def push(self, due: float, item: bytes | Mark, delays: Delays = (), by: str = "") -> None:
        """Puts something at the end; `by` is the toxic that made a mark."""
        self._held.append(_Held(due, item, delays, by))
        if isinstance(item, bytes):
            self.size += len(item)
        elif item is Mark.ABORT:
            self.abort_by = by
            self._find_abort()

    def pop(self) -> tuple[bytes | Mark, str]:
        """Takes the head away: what it is, and which toxic made it."""
        held = self._held.popleft()
        if isinstance(held.item, bytes):
            self.size -= len(held.item)
        return held.item, held.by

    def take_off(self, stage: Stage) -> None:
        """Takes back the delays that a stage asked for."""
        for held in self._held:
            if held.delays:
                for by, seconds in held.delays:
                    if by is stage:
                        held.due -= seconds
                held.delays = tuple(delay for delay in held.delays if delay[0] is not stage)
        if self.abort_due is not None:
            self._find_abort()

    def clear(self) -> None:
        """Forgets all."""
        self._held.clear()
        self.size = 0
        self.abort_due = None

    def _find_abort(self) -> None:
        self.abort_due = max(held.due for held in self._held)  # nothing comes after a reset
