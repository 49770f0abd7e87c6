"""A toxic's view of the direction of the connection that it works on.

Does not hold any bytes. Invariant: flows share nothing, and each has its own random numbers.
"""

from typing import Literal, Protocol, TypeVar, final

from looprig.toxics.rule import ConnectionInfo

__all__ = ["Flow", "FlowDirection", "Rng"]

FlowDirection = Literal["upstream", "downstream"]
"""`upstream`: from the client to the service; `downstream`: back."""

_T = TypeVar("_T")


class Rng(Protocol):
    """A source of random numbers, such as `random.Random`."""

    def random(self) -> float:
        """Return a number of at least 0.0 and below 1.0."""
        ...

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number between two others."""
        ...


@final
class Flow:
    """One direction of one connection, as one toxic sees it.

    `now` is the time, in seconds, at which the current chunk leaves the toxics before this one. It never goes back.
    `seen` is the number of bytes that this toxic saw before that chunk. For UDP see `looprig.toxics.udp.Toxic`.
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
        """Return the toxic's state, which is kept from chunk to chunk. The first call creates it with `kind()`."""
        if not isinstance(self._state, kind):
            self._state = kind()
        return self._state
