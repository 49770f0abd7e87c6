"""The effects that a toxic can yield for a chunk, a datagram, or the end of a stream.

An effect is only a value: the proxy carries effects out, in the order in which they are yielded.

Invariants, for TCP:
1. What is sent keeps its order. A delay also delays what comes after it.
2. After `End`, `Abort()` or `Close`, nothing more is sent in that direction.
"""

import math
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeAlias, final

__all__ = ["Abort", "Await", "Close", "Drop", "Effect", "End", "Note", "Pause", "Send"]


@final
@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes on, `after` seconds from now, or at once when the toxic is taken off."""

    data: bytes
    after: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class End:
    """End this direction in good order (FIN), `after` seconds from now; the other goes on."""

    after: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Abort:
    """Reset the connection (RST) on both sides.

    Without `after`: once what was sent before is written. With it: that many seconds from now, whatever is still held,
    unless the toxic is taken off before.
    """

    after: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Close:
    """End both directions in good order (FIN), once what was sent before is written."""


@final
@dataclass(frozen=True, slots=True)
class Pause:
    """Read nothing in this direction for so many seconds, or until the toxic is taken off. No byte is lost."""

    seconds: float = math.inf


@final
@dataclass(frozen=True, slots=True)
class Drop:
    """Lose the chunk. When the toxic is taken off, the connection is reset, since its stream has a gap."""


@final
@dataclass(frozen=True, slots=True)
class Await:
    """Send on what this returns. What follows in this direction waits for it, also when the toxic is taken off.

    If it raises, or is cancelled, the connection is reset and the test fails.
    """

    result: Awaitable[bytes]


@final
@dataclass(frozen=True, slots=True)
class Note:
    """Write a line to the proxy's log of events: the same for the same seed and the same bytes."""

    text: str


Effect: TypeAlias = Send | End | Abort | Close | Pause | Drop | Await | Note
