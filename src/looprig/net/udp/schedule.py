"""Held datagrams, each with the time at which it is due.

Does not know the time, and sends nothing. Pure.

Invariants:
1. Datagrams leave in the order in which they are due. If several are due at the same time, they leave in order of
   arrival.
2. A delay belongs to the stage that requested it. When that stage ends, the datagram is due as if without the delay.
"""

import heapq
from typing import Final, Generic, TypeVar, final

from looprig.net.udp.chain import Delays, living

__all__ = ["Parcel", "Schedule"]

P = TypeVar("P")


@final
class Parcel(Generic[P]):
    """A datagram, its time of arrival, and the pipe that it goes through."""

    __slots__ = ("came", "data", "delays", "due", "order", "pipe")

    def __init__(self, data: bytes, came: float, delays: Delays, pipe: P, order: int) -> None:
        self.came: Final = came
        self.data: Final = data
        self.delays: Delays = delays
        self.due: float = 0.0
        self.order: Final = order
        self.pipe: Final = pipe
        self.refresh()

    def __lt__(self, other: "Parcel[P]") -> bool:
        return (self.due, self.order) < (other.due, other.order)

    def refresh(self) -> None:
        """Drop the delays of removed stages."""
        self.delays = living(self.delays)
        self.due = self.came + sum(seconds for _, seconds in self.delays)


@final
class Schedule(Generic[P]):
    """The datagrams of one link that are not sent yet."""

    __slots__ = ("_heap", "_pushed")

    def __init__(self) -> None:
        self._heap: list[Parcel[P]] = []
        self._pushed = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def first(self) -> Parcel[P]:
        """The datagram that leaves next; the schedule must not be empty."""
        return self._heap[0]

    def push(self, data: bytes, came: float, delays: Delays, pipe: P) -> None:
        """Add a datagram."""
        self._pushed += 1
        heapq.heappush(self._heap, Parcel(data, came, delays, pipe, self._pushed))

    def pop(self) -> Parcel[P]:
        """Remove and return the datagram that leaves next."""
        return heapq.heappop(self._heap)

    def refresh(self) -> None:
        """Drop the delays of removed stages."""
        for parcel in self._heap:
            if parcel.delays:
                parcel.refresh()
        heapq.heapify(self._heap)
