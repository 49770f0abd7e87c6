"""The base of toxics for UDP. By itself it sends every datagram on as it came.

Does not carry out what it yields (the proxy does), and keeps no state: that is in the flow.
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

    A datagram for which nothing is sent is lost. `flow.seen` is its number: how many came before it in its direction.
    `flow.rng` starts over with each datagram, so its fate depends only on the seed and its number. Datagrams pass in
    the order in which they came, even if a toxic before this one delays them; so `flow.now` may go back.
    """

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """Handle a datagram; it may be empty."""
        yield Send(data)
