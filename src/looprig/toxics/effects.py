"""The effects that a toxic can yield for a chunk, a datagram, or the end of a stream.

An effect is only a value: the proxy carries effects out, in the order in which they are yielded.

Invariants, for TCP:
1. What is sent keeps its order. A delay also delays what comes after it.
2. After `End`, `Abort()` or `Close`, nothing more is sent in that direction.

An effect that exists is valid: a wrong value is a `DeclarationError` where the effect is created.
"""

import math
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from looprig.declare.values import SECONDS, STRING, Check, check_values, instance_of

__all__ = ["Abort", "Await", "Close", "Drop", "Effect", "End", "Note", "Pause", "Send"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_AWAITABLE: Final = instance_of("something that can be awaited", Awaitable)
_BYTES: Final = instance_of("bytes", bytes, bytearray, memoryview)
_LONG: Final = 1e9
"""Delays of fewer seconds are accepted without further checks, which would slow down each chunk."""
_UNTIL_OFF: Final = Check(
    SECONDS.expected, lambda value: (isinstance(value, float) and value == math.inf) or SECONDS.accepts(value)
)


@final
@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes on, `after` seconds from now, or at once when the toxic is removed."""

    data: bytes
    after: float = 0.0

    def __post_init__(self) -> None:
        if type(self.data) is not bytes or type(self.after) is not float or not 0.0 <= self.after < _LONG:
            check_values("Send", [("data", self.data, _BYTES), ("after", self.after, SECONDS)])


@final
@dataclass(frozen=True, slots=True)
class End:
    """End this direction gracefully (FIN), `after` seconds from now. The other direction stays open."""

    after: float = 0.0

    def __post_init__(self) -> None:
        check_values("End", [("after", self.after, SECONDS)])


@final
@dataclass(frozen=True, slots=True)
class Abort:
    """Reset the connection (RST) on both sides.

    Without `after`, the reset happens once everything sent so far is written. With it, the reset happens that many
    seconds from now, even if bytes are still held, unless the toxic is removed first.
    """

    after: float | None = None

    def __post_init__(self) -> None:
        check_values("Abort", [("after", self.after, SECONDS.or_none())])


@final
@dataclass(frozen=True, slots=True)
class Close:
    """End both directions gracefully (FIN), once everything sent so far is written."""


@final
@dataclass(frozen=True, slots=True)
class Pause:
    """Read nothing in this direction for `seconds`, or until the toxic is removed. No byte is lost."""

    seconds: float = math.inf

    def __post_init__(self) -> None:
        check_values("Pause", [("seconds", self.seconds, _UNTIL_OFF)])


@final
@dataclass(frozen=True, slots=True)
class Drop:
    """Lose the chunk. When the toxic is removed, the connection is reset, since its stream has a gap."""


@final
@dataclass(frozen=True, slots=True)
class Await:
    """Send on the bytes that this returns. Later data in this direction waits for it, even if the toxic is removed.

    If it raises, or is cancelled, the connection is reset and the test fails.
    """

    result: Awaitable[bytes]

    def __post_init__(self) -> None:
        check_values("Await", [("result", self.result, _AWAITABLE)])


@final
@dataclass(frozen=True, slots=True)
class Note:
    """Write a line to the proxy's log of events. It must depend only on the seed and the bytes."""

    text: str

    def __post_init__(self) -> None:
        check_values("Note", [("text", self.text, STRING)])


Effect: TypeAlias = Send | End | Abort | Close | Pause | Drop | Await | Note
