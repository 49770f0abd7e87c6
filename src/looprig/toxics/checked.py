"""Run-time checks of the results of a suite's own toxics, which may not be type-checked.

Carries nothing out. Effects check their values themselves. Invariant: what passes these checks raises no error later.
"""

from collections.abc import Coroutine, Iterable, Iterator
from typing import cast

from looprig.toxics.effects import Effect

__all__ = ["as_bytes", "effects_of"]


def effects_of(returned: object, toxic: str) -> Iterator[Effect]:
    """Return an iterator over the effects that a toxic's method returned.

    Raises:
        TypeError: the method isn't a generator.
    """
    if isinstance(returned, Coroutine):
        returned.close()  # otherwise Python would also report that the coroutine was never awaited
    if not isinstance(returned, Iterable):
        raise TypeError(f"{toxic} returned {returned!r}: write its methods as generators, `yield Send(...)`")
    return iter(cast("Iterable[Effect]", returned))


def as_bytes(data: object, toxic: str) -> bytes:
    """Return `data` as bytes.

    Raises:
        TypeError: `data` isn't a bytes-like object.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(cast("bytearray", data))
    raise TypeError(f"{toxic} sent {data!r}, which isn't bytes")
