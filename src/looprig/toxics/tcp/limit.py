"""A connection that closes gracefully after a number of bytes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import COUNT, Check
from looprig.toxics.effects import Close, Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Limit"]

bytes_ = bytes  # within the class, `bytes` is a field


@final
@dataclass(frozen=True, slots=True)
class Limit(Toxic):
    """Closes the connection gracefully (FIN both ways) after `bytes` bytes, counted separately for each direction.

    Bytes are counted from when the toxic is applied. To the receiver, the sender seems to have finished. A client that
    doesn't check lengths mistakes the truncated response for a complete one.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"bytes": COUNT}

    bytes: int

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        """Close at once if there are no bytes to wait for."""
        if not self.bytes:
            yield Close()

    def on_data(self, data: bytes_, flow: Flow) -> Iterable[Effect]:
        """Let the bytes below the limit pass."""
        left = self.bytes - flow.seen
        if left > 0:
            yield Send(data[:left])
            if len(data) >= left:
                yield Close()
