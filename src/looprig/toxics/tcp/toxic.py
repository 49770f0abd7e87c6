"""The base of toxics. As it stands, everything goes on as it came.

Does not carry out what it says (the proxy does), and keeps nothing in itself: what is remembered is in the flow.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from looprig.toxics.effects import Effect, End, Send
from looprig.toxics.flow import Flow
from looprig.toxics.rule import Rule

__all__ = ["Toxic"]


@dataclass(frozen=True, slots=True)
class Toxic(Rule):
    """A fault of TCP connections: a frozen dataclass that says what becomes of each chunk.

    Write at least one of the three methods, as generators of effects:

        @dataclass(frozen=True, slots=True)
        class Shout(Toxic):
            def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
                yield Send(data.upper())

    How a stream is cut into chunks is up to the network. What is to be the same in each run has to depend on the
    bytes and on `flow.seen`, not on chunks.
    """

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        """The toxic is put on a connection: a new one, or one that lives already."""
        return ()

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Some bytes came; never none."""
        yield Send(data)

    def on_eof(self, flow: Flow) -> Iterable[Effect]:
        """The sender has ended its stream in good order."""
        yield End()
