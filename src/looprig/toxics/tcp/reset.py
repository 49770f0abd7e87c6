"""A connection that breaks: both sides get ECONNRESET."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import COUNT, SECONDS, Check
from looprig.toxics.effects import Abort, Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Reset"]


@final
@dataclass(frozen=True, slots=True)
class Reset(Toxic):
    """Resets the connection after `after_bytes` bytes or `after` seconds, whichever is first. With neither, at once.

    Both are counted from when the connection gets the toxic, bytes separately for each direction. Exactly that many
    bytes are sent on before the reset. A peer may still see fewer, since a reset overtakes bytes that the peer hasn't
    read.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"after_bytes": COUNT.or_none(), "after": SECONDS.or_none()}

    after_bytes: int | None = None
    after: float | None = None

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        """Reset at once or after a time, even if the connection is idle."""
        if self.after_bytes == 0 or (self.after_bytes is None and self.after is None):
            yield Abort(0.0)
        elif self.after is not None:
            yield Abort(self.after)

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Let the bytes before the reset pass."""
        if self.after_bytes is None:
            yield Send(data)
            return
        left = self.after_bytes - flow.seen
        if left > 0:
            yield Send(data[:left])
            if len(data) >= left:
                yield Abort()
