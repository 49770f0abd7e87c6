"""A network in which datagrams overtake one another."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.notes import noted
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Reordering"]


@final
@dataclass(frozen=True, slots=True)
class Reordering(Toxic):
    """Holds each datagram back for `delay` seconds with the probability `rate`, so that later ones overtake it.

    All others go on at once. If none follows within `delay` seconds, the datagram is late, but still in order.
    """

    rate: float
    delay: float

    def complaints(self) -> Iterator[str]:
        if not 0.0 <= self.rate <= 1.0:
            yield f"rate is {self.rate!r}, which is not between 0 and 1"
        yield from self.below_zero("delay")

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        if flow.rng.random() < self.rate:
            yield from noted(flow, f"held back datagram {flow.seen}")
            yield Send(data, self.delay)
        else:
            yield Send(data)
