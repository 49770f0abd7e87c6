"""A narrow link: it carries a limited number of bytes per second, and the sender has to wait accordingly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, final

from looprig.declare.values import Check, number
from looprig.toxics.effects import Effect, End, Pause, Send
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Bandwidth"]

_SLICE: Final = 0.01
"""Seconds of traffic that are sent in one piece."""

_BACKLOG: Final = 0.5
"""Seconds of traffic that are read ahead; then the sender has to wait, as with any narrow link."""


@dataclass(slots=True)
class _Line:
    free_at: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Bandwidth(Toxic):
    """Sends at most `rate` bytes per second."""

    _checks: ClassVar[Mapping[str, Check]] = {
        "rate": number("a number of bytes a second above 0 (to let nothing pass, use Stall)", above=True)
    }

    rate: float

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Send one piece after the other, each when it is due."""
        line = flow.state(_Line)
        size = max(1, int(self.rate * _SLICE))
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            line.free_at = max(line.free_at, flow.now) + len(piece) / self.rate
            yield Send(piece, line.free_at - flow.now)
        backlog = line.free_at - flow.now
        if backlog > _BACKLOG:
            yield Pause(backlog - _BACKLOG)

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        """End after the last byte."""
        yield End(max(0.0, flow.state(_Line).free_at - flow.now))
