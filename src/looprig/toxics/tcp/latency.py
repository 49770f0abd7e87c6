"""A slow link: everything arrives later, and nothing arrives out of order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import SECONDS, Check
from looprig.toxics.effects import Effect, End, Send
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Latency"]


@final
@dataclass(frozen=True, slots=True)
class Latency(Toxic):
    """Delays each chunk, and the end, by `delay` seconds, plus or minus up to `jitter` seconds, evenly distributed.

    It applies to both directions by default, so a round trip takes twice that. The throughput is limited only by the
    proxy's window: `window` bytes per `delay`.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"delay": SECONDS, "jitter": SECONDS}

    delay: float
    jitter: float = 0.0

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data, self._delay(flow))

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        yield End(self._delay(flow))

    def _delay(self, flow: Flow) -> float:
        if not self.jitter:
            return self.delay
        return max(0.0, self.delay + flow.rng.uniform(-self.jitter, self.jitter))
