"""The random numbers of toxics.

Invariant: the numbers of a toxic on one direction of a connection depend only on the seed, the index of the connection,
the direction and the toxic's name. So they don't change if another toxic is added.
"""

from random import Random

__all__ = ["rng_for"]


def rng_for(seed: int, connection: int, direction: str, name: str) -> Random:
    """Return the random numbers of one toxic on one direction of one connection."""
    return Random(f"{seed}/{connection}/{direction}/{name}")  # noqa: S311 - reproducible, not secret
