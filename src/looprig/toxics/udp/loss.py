"""A network that loses datagrams."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import PROBABILITY, Check
from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.notes import noted
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Loss"]


@final
@dataclass(frozen=True, slots=True)
class Loss(Toxic):
    """Loses each datagram with the probability `rate`. As in any network, neither side is notified."""

    _checks: ClassVar[Mapping[str, Check]] = {"rate": PROBABILITY}

    rate: float

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        if flow.rng.random() < self.rate:
            yield from noted(flow, f"lost datagram {flow.seen}")
        else:
            yield Send(data)
