"""A black hole: what is sent arrives nowhere, and the sender is not told."""

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
    """Takes everything in and lets nothing out, the end of the stream included.

    When it is taken off, connections that lost bytes by it are reset: what comes after a gap is not the stream that
    was sent. For a link that only stands still, use `Stall`.
    """

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Gone."""
        yield Drop()

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        """Gone, too."""
        yield Drop()
