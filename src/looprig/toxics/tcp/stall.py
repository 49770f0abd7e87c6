"""A link that stands still: nothing moves, and nothing is lost."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from looprig.toxics.effects import Effect, Pause
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Stall"]


@final
@dataclass(frozen=True, slots=True)
class Stall(Toxic):
    """Stops reading until it is taken off: the sender's window fills, and then the sender has to wait.

    What was read before still goes on; all else goes on once the toxic is taken off. While the proxy reads nothing, it
    does not notice that the sender has gone.
    """

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        """Stop reading from here on."""
        yield Pause()
