"""A network in which datagrams arrive twice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import PROBABILITY, Check
from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.notes import noted
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Duplication"]


@final
@dataclass(frozen=True, slots=True)
class Duplication(Toxic):
    """Sends each datagram twice with the probability `rate`, at the same time.

    Later toxics handle each copy separately: with `Latency(0.0, jitter=0.1)` they arrive at different times.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"rate": PROBABILITY}

    rate: float

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data)
        if flow.rng.random() < self.rate:
            yield from noted(flow, f"doubled datagram {flow.seen}")
            yield Send(data)
