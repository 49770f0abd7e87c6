"""A network in which datagrams overtake one another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import PROBABILITY, SECONDS, Check
from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.notes import noted
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Reordering"]


@final
@dataclass(frozen=True, slots=True)
class Reordering(Toxic):
    """Holds each datagram back for `delay` seconds with the probability `rate`, so that later ones overtake it.

    All others are sent on at once. If none follows within `delay` seconds, the datagram is late, but still in order.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"rate": PROBABILITY, "delay": SECONDS}

    rate: float
    delay: float

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        if flow.rng.random() < self.rate:
            yield from noted(flow, f"held back datagram {flow.seen}")
            yield Send(data, self.delay)
        else:
            yield Send(data)
