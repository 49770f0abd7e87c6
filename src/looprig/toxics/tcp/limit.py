"""A connection that closes in good order after a number of bytes."""

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
    """Closes the connection in good order (FIN both ways) after `bytes` bytes, each direction on its own.

    Bytes are counted from when the toxic is put on. To the receiver it looks like a sender that is done: a truncated
    answer, which a client that does not check lengths takes for a complete one.
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
