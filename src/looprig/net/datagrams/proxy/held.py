"""What is held back: datagrams, each until its own time.

Does not know the time, and sends nothing. Pure.

Invariants:
1. What is due earlier leaves first; what is due at the same time leaves in the order in which it came.
2. A delay belongs to the stage that asked for it, and goes with it: then the datagram is due as if it had never been.
"""

import heapq
from collections.abc import Collection
from typing import Final, Generic, TypeVar, final

from looprig.net.datagrams.proxy.course import Delays, Stage

__all__ = ["Held", "Parcel"]

W = TypeVar("W")


@final
class Parcel(Generic[W]):
    """A datagram, when it came, and the way that it is to go."""

    __slots__ = ("came", "data", "delays", "due", "order", "way")

    def __init__(self, data: bytes, came: float, delays: Delays, way: W, order: int) -> None:
        self.came: Final = came
        self.data: Final = data
        self.delays: Delays = delays
        self.due: float = came + sum(seconds for _, seconds in delays)
        self.order: Final = order
        self.way: Final = way

    def __lt__(self, other: "Parcel[W]") -> bool:
        return (self.due, self.order) < (other.due, other.order)

    def take_off(self, stages: Collection[Stage]) -> None:
        """Takes back the delays that these stages asked for."""
        self.delays = tuple(delay for delay in self.delays if delay[0] not in stages)
        self.due = self.came + sum(seconds for _, seconds in self.delays)


@final
class Held(Generic[W]):
    """The datagrams of one link that are not sent yet."""

    __slots__ = ("_heap", "_pushed")

    def __init__(self) -> None:
        self._heap: list[Parcel[W]] = []
        self._pushed = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def first(self) -> Parcel[W]:
        """What leaves next; there must be something."""
        return self._heap[0]

    def push(self, data: bytes, came: float, delays: Delays, way: W) -> None:
        """One more."""
        self._pushed += 1
        heapq.heappush(self._heap, Parcel(data, came, delays, way, self._pushed))

    def pop(self) -> Parcel[W]:
        """Takes away what leaves next."""
        return heapq.heappop(self._heap)

    def take_off(self, stages: Collection[Stage]) -> None:
        """Takes back the delays that these stages asked for."""
        for parcel in self._heap:
            if parcel.delays:
                parcel.take_off(stages)
        heapq.heapify(self._heap)
