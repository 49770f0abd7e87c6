"""A black hole: data disappears, and the sender does not notice."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from looprig.toxics.effects import Drop, Effect
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Discard"]


@final
@dataclass(frozen=True, slots=True)
class Discard(Toxic):
    """Reads everything and sends nothing on, not even the end of the stream.

    When it is removed, connections that lost bytes are reset, since there is a gap in their streams. For a link that
    only stops for a while, use `Stall`.
    """

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Drop()

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        yield Drop()
