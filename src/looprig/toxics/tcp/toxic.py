"""The base class of toxics for TCP. By default, it sends everything on unchanged.

Does not carry out effects (the proxy does), and keeps no state (the flow does).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from looprig.toxics.effects import Effect, End, Send
from looprig.toxics.flow import Flow
from looprig.toxics.rule import Rule

__all__ = ["Toxic"]


@dataclass(frozen=True, slots=True)
class Toxic(Rule):
    """A fault of TCP connections: a frozen dataclass that decides what happens to each chunk.

    Write at least one of the three methods, as generators of effects:

        @dataclass(frozen=True, slots=True)
        class Shout(Toxic):
            def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
                yield Send(data.upper())

    The network decides how a stream is cut into chunks. A fault that should be the same in each run must depend on the
    bytes and on `flow.seen`, not on chunks.
    """

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        """Handle the start of the toxic on a connection, new or existing."""
        return ()

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Handle received bytes, at least one."""
        yield Send(data)

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        """Handle the graceful end of the sender's stream."""
        yield End()
