"""The base of toxics for TCP. By itself it sends everything on as it came.

Does not carry out what it yields (the proxy does), and keeps no state: that is in the flow.
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

    How a stream is cut into chunks is up to the network. A fault that should be the same in each run must depend on
    the bytes and on `flow.seen`, not on chunks.
    """

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        """Handle being put on a connection: a new one, or an existing one."""
        return ()

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Handle bytes that came; there is at least one."""
        yield Send(data)

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        """Handle the end of the sender's stream, in good order."""
        yield End()
