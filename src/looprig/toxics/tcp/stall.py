"""A link that stalls: nothing moves, and nothing is lost."""

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
    """Stops reading until it is removed. The sender's window fills, and then the sender has to wait.

    Data that was read before is still sent on. Everything else continues when the toxic is removed. While the proxy
    reads nothing, it doesn't notice if the sender closes the connection.
    """

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        """Stop reading from here on."""
        yield Pause()
