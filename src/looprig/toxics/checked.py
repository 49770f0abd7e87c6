"""Run-time checks of what a suite's own toxics return and yield, since those may not be type-checked.

Carries nothing out. Invariant: what passes these checks raises no error later.
"""

import math
from collections.abc import Coroutine, Iterable, Iterator
from typing import cast

from looprig.toxics.effects import Effect

__all__ = ["as_bytes", "check_seconds", "effects_of"]


def effects_of(returned: object, toxic: str) -> Iterator[Effect]:
    """Return an iterator over what a toxic's method returned.

    Raises:
        TypeError: the method is another kind of function than a generator.
    """
    if isinstance(returned, Coroutine):
        returned.close()  # else it would be reported a second time, as one that was never awaited
    if not isinstance(returned, Iterable):
        raise TypeError(f"{toxic} returned {returned!r}: write its methods as generators, `yield Send(...)`")
    return iter(cast("Iterable[Effect]", returned))


def as_bytes(data: object, toxic: str) -> bytes:
    """Return `data` as bytes.

    Raises:
        TypeError: it isn't like bytes.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(cast("bytearray", data))
    raise TypeError(f"{toxic} sent {data!r}, which isn't bytes")


def check_seconds(seconds: object, effect: Effect, toxic: str) -> None:
    """Make sure that a delay is a number of seconds.

    Raises:
        ValueError: it isn't a number, or it is below 0 or infinite.
    """
    if not isinstance(seconds, int | float) or not 0.0 <= seconds < math.inf:
        raise ValueError(f"{toxic} yielded {effect!r}: pass a number of seconds, 0 or more")
