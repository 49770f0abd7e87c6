"""A network that loses datagrams."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.notes import noted
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Loss"]


@final
@dataclass(frozen=True, slots=True)
class Loss(Toxic):
    """Loses each datagram with the probability `rate`. No one notices, as in any network."""

    rate: float

    def complaints(self) -> Iterator[str]:
        if not 0.0 <= self.rate <= 1.0:
            yield f"rate is {self.rate!r}, which is not between 0 and 1"

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        if flow.rng.random() < self.rate:
            yield from noted(flow, f"lost datagram {flow.seen}")
        else:
            yield Send(data)
