"""Whether what a toxic says can be said, whatever its types say: for streams and for datagrams.

Does not carry anything out. Invariant: what passes here raises nowhere later.
"""

import math
from typing import cast

from looprig.toxics.effects import Effect

__all__ = ["as_bytes", "check_seconds"]


def as_bytes(data: object, toxic: str) -> bytes:
    """The bytes of something that is like bytes.

    Raises:
        TypeError: it is not.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(cast("bytearray", data))
    raise TypeError(f"{toxic} gave {data!r}, which is not bytes")


def check_seconds(seconds: object, effect: Effect, toxic: str) -> None:
    """Makes sure that a delay is one.

    Raises:
        ValueError: it is no number, or below 0, or has no end.
    """
    if not isinstance(seconds, int | float) or not 0.0 <= seconds < math.inf:
        raise ValueError(f"{toxic} gave {effect!r}: give a number of seconds, 0 or more")
