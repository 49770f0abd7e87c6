"""The random numbers of one toxic on one direction of a UDP connection.

Invariant: the numbers for a datagram depend only on the seed, the index of the connection, the direction, the toxic's
name and the number of the datagram. So a datagram gets the same numbers whatever was lost or duplicated before it,
whenever the toxic was applied, and whichever other toxics are applied.
"""

from random import Random
from typing import final

from looprig.net.faults.seeds import rng_for

__all__ = ["DatagramRng"]


@final
class DatagramRng:
    """Random numbers that start over with each datagram. Copies that an earlier toxic made get different numbers."""

    __slots__ = ("_copy", "_direction", "_index", "_name", "_number", "_rng", "_seed")

    def __init__(self, seed: int, index: int, direction: str, name: str) -> None:
        self._copy = 0
        self._direction = direction
        self._index = index
        self._name = name
        self._number = 0
        self._rng: Random | None = None
        self._seed = seed

    def start(self, number: int, copy: int) -> None:
        """Start over for a datagram."""
        self._number, self._copy, self._rng = number, copy, None

    def random(self) -> float:
        """Return a number of at least 0.0 and below 1.0."""
        return self._of_datagram().random()

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number between two others."""
        return self._of_datagram().uniform(a, b)

    def _of_datagram(self) -> Random:
        if self._rng is None:  # many toxics need no random numbers, and seeding takes longer than everything else
            name = f"{self._name}/{self._number}/{self._copy}"
            self._rng = rng_for(self._seed, self._index, self._direction, name)
        return self._rng
