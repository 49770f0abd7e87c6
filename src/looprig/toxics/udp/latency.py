"""A slow network: each datagram arrives later, on its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Latency"]


@final
@dataclass(frozen=True, slots=True)
class Latency(Toxic):
    """Delays each datagram by `delay` seconds, plus or minus up to `jitter` seconds, evenly distributed.

    With jitter, datagrams overtake one another as in a network; without it they keep their order. In both directions,
    which is the default, a round trip takes twice that.
    """

    delay: float
    jitter: float = 0.0

    def complaints(self) -> Iterator[str]:
        yield from self.below_zero("delay", "jitter")

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        spread = flow.rng.uniform(-self.jitter, self.jitter) if self.jitter else 0.0
        yield Send(data, max(0.0, self.delay + spread))
