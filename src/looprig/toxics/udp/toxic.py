"""The base class of toxics for UDP. By default, it sends every datagram on unchanged.

Does not carry out effects (the proxy does), and keeps no state (the flow does).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.rule import Rule

__all__ = ["Toxic"]


@dataclass(frozen=True, slots=True)
class Toxic(Rule):
    """A fault of UDP: a frozen dataclass that decides what happens to each datagram.

    Write the one method, as a generator of `Send` and `Note`:

        @dataclass(frozen=True, slots=True)
        class Cut(Toxic):
            size: int

            def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
                yield Send(data[: self.size])

    A datagram for which nothing is sent is lost. `flow.seen` is the number of earlier datagrams in the same direction.
    `flow.rng` starts over with each datagram, so what happens to a datagram depends only on the seed and its number.
    Toxics see datagrams in order of arrival, even if an earlier toxic delays them, so `flow.now` may go back.
    """

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Handle a datagram, which may be empty."""
        yield Send(data)
