"""A peer that takes its time to close its connection."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from looprig.toxics.effects import Effect, End
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["SlowClose"]


@final
@dataclass(frozen=True, slots=True)
class SlowClose(Toxic):
    """Delays the end of a stream by `delay` seconds; its bytes are not delayed."""

    delay: float

    def complaints(self) -> Iterator[str]:
        yield from self.below_zero("delay")

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        yield End(self.delay)
