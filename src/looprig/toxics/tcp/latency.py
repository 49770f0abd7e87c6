"""A slow link: everything arrives later, and nothing arrives out of order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from looprig.toxics.effects import Effect, End, Send
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Latency"]


@final
@dataclass(frozen=True, slots=True)
class Latency(Toxic):
    """Delays each chunk, and the end, by `delay` seconds, plus or minus up to `jitter` seconds, evenly distributed.

    In both directions, which is the default, a round trip takes twice that. The throughput stays what the proxy's
    window allows: `window` bytes in each `delay`.
    """

    delay: float
    jitter: float = 0.0

    def complaints(self) -> Iterator[str]:
        yield from self.below_zero("delay", "jitter")

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data, self._delay(flow))

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        yield End(self._delay(flow))

    def _delay(self, flow: Flow) -> float:
        if not self.jitter:
            return self.delay
        return max(0.0, self.delay + flow.rng.uniform(-self.jitter, self.jitter))
