"""Small packets: data that was sent at once arrives in pieces."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import COUNT, POSITIVE, SECONDS, Check
from looprig.toxics.effects import Effect, End, Send
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Slice"]


@dataclass(slots=True)
class _Knife:
    left: int = 0
    free_at: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Slice(Toxic):
    """Sends pieces of `size` bytes, plus or minus up to `variation`, with `delay` seconds from one to the next.

    Exposes code that treats one read as one message. The places where the stream is cut depend only on the seed and the
    position, but a piece may also end where a chunk ends.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"size": POSITIVE, "variation": COUNT, "delay": SECONDS}

    size: int
    variation: int = 0
    delay: float = 0.0

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        knife = flow.state(_Knife)
        at = 0
        while at < len(data):
            if not knife.left:
                knife.left = self._size(flow)
            piece = data[at : at + knife.left]
            knife.left -= len(piece)
            at += len(piece)
            time = max(knife.free_at, flow.now)
            knife.free_at = time + self.delay
            yield Send(piece, time - flow.now)

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        yield End(max(0.0, flow.state(_Knife).free_at - self.delay - flow.now))

    def _size(self, flow: Flow) -> int:
        if not self.variation:
            return self.size
        return max(1, self.size + round(flow.rng.uniform(-self.variation, self.variation)))
