"""A sender that ends early: its direction closes, and the other stays open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

from looprig.declare.values import COUNT, Check
from looprig.toxics.effects import Effect, End, Send
from looprig.toxics.flow import Flow
from looprig.toxics.rule import Direction
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["HalfClose"]


@final
@dataclass(frozen=True, slots=True)
class HalfClose(Toxic):
    """Ends a direction gracefully (FIN) after `after_bytes` bytes, counted from when the toxic is applied.

    Data that the sender sends after that is lost. The other direction stays open. By default, the service is the side
    that ends early.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"after_bytes": COUNT}

    after_bytes: int = 0
    direction: Direction = field(default="downstream", kw_only=True, repr=False)

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        """End at once if there are no bytes to wait for."""
        if not self.after_bytes:
            yield End()

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Let the bytes before the end pass."""
        left = self.after_bytes - flow.seen
        if left > 0:
            yield Send(data[:left])
            if len(data) >= left:
                yield End()
