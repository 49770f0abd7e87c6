"""A toxic's view of the direction of the connection that it works on.

Does not hold any bytes. Invariant: two flows share nothing; each has random numbers of its own.
"""

from typing import Literal, Protocol, TypeVar, final

from looprig.toxics.rule import ConnectionInfo

__all__ = ["Flow", "FlowDirection", "Rng"]

FlowDirection = Literal["upstream", "downstream"]
"""`upstream`: from the client to the service; `downstream`: back."""

_T = TypeVar("_T")


class Rng(Protocol):
    """Random numbers from a seed; `random.Random` is one."""

    def random(self) -> float:
        """Return a number of at least 0.0 and below 1.0."""
        ...

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number between two others."""
        ...


@final
class Flow:
    """One direction of one connection, as one toxic sees it.

    `now` is in seconds and never goes back: it is when the current chunk leaves the toxics before this one. `seen` is
    how many bytes this toxic had seen before that chunk. For UDP see `looprig.toxics.udp.Toxic`.
    """

    __slots__ = ("_state", "connection", "direction", "now", "rng", "seen")

    def __init__(self, connection: ConnectionInfo, direction: FlowDirection, rng: Rng) -> None:
        self.connection: ConnectionInfo = connection
        self.direction: FlowDirection = direction
        self.rng: Rng = rng
        self.now: float = 0.0
        self.seen: int = 0
        self._state: object = None

    def state(self, kind: type[_T]) -> _T:
        """Return what the toxic remembers from one chunk to the next: made by `kind()` on the first call."""
        if not isinstance(self._state, kind):
            self._state = kind()
        return self._state
