"""A peer that takes its time to close its connection."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import SECONDS, Check
from looprig.toxics.effects import Effect, End
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["SlowClose"]


@final
@dataclass(frozen=True, slots=True)
class SlowClose(Toxic):
    """Delays the end of a stream by `delay` seconds, but not its bytes."""

    _checks: ClassVar[Mapping[str, Check]] = {"delay": SECONDS}

    delay: float

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        yield End(self.delay)
