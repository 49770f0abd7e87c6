"""What a toxic can say of a chunk or of the end of a stream.

Does nothing: the proxy carries effects out, in the order in which they are given.

Invariants:
1. Whatever is sent keeps its order. A delay moves what comes after it too.
2. After `End`, `Abort()` or `Close` nothing more goes in that direction.
"""

import math
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeAlias, final

__all__ = ["Abort", "Await", "Close", "Drop", "Effect", "End", "Note", "Pause", "Send"]


@final
@dataclass(frozen=True, slots=True)
class Send:
    """These bytes go on, `after` seconds from now. If the toxic is taken off before, they go on at once."""

    data: bytes
    after: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class End:
    """This direction ends in good order (FIN), `after` seconds from now; the other goes on."""

    after: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Abort:
    """The connection is reset (RST) on both sides.

    Without `after`: once what was sent before has gone. With it: that many seconds from now, whatever is still held;
    unless the toxic is taken off before.
    """

    after: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Close:
    """Both directions end in good order (FIN), once what was sent before has gone."""


@final
@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is read in this direction for so many seconds, or until the toxic is taken off. No byte is lost."""

    seconds: float = math.inf


@final
@dataclass(frozen=True, slots=True)
class Drop:
    """The chunk is lost. When the toxic is taken off the connection is reset: a stream with a gap is no stream."""


@final
@dataclass(frozen=True, slots=True)
class Await:
    """What comes of this goes on. What follows it in this direction waits for it, also when the toxic is taken off.

    If it raises, or is cancelled, the connection is reset and the test is told.
    """

    result: Awaitable[bytes]


@final
@dataclass(frozen=True, slots=True)
class Note:
    """A line for the proxy's log of events; the same for the same seed and the same bytes."""

    text: str


Effect: TypeAlias = Send | End | Abort | Close | Pause | Drop | Await | Note
