"""A slow network: each datagram is delayed separately."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import SECONDS, Check
from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Latency"]


@final
@dataclass(frozen=True, slots=True)
class Latency(Toxic):
    """Delays each datagram by `delay` seconds, plus or minus up to `jitter` seconds, evenly distributed.

    With jitter, datagrams overtake one another, as in a network. Without it, they keep their order. It applies to both
    directions by default, so a round trip takes twice that.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"delay": SECONDS, "jitter": SECONDS}

    delay: float
    jitter: float = 0.0

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        spread = flow.rng.uniform(-self.jitter, self.jitter) if self.jitter else 0.0
        yield Send(data, max(0.0, self.delay + spread))
