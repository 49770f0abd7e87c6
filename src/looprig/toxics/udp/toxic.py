"""The base of toxics of datagrams. As it stands, every datagram goes on as it came.

Does not carry out what it says (the proxy does), and keeps nothing in itself: what is remembered is in the flow.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.rule import Rule

__all__ = ["Toxic"]


@dataclass(frozen=True, slots=True)
class Toxic(Rule):
    """A fault of UDP: a frozen dataclass that says what becomes of each datagram.

    Write the one method, as a generator of `Send` and `Note`:

        @dataclass(frozen=True, slots=True)
        class Cut(Toxic):
            size: int

            def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
                yield Send(data[: self.size])

    A datagram for which nothing is sent is lost. `flow.seen` is its number: how many came before it in its direction.
    `flow.rng` begins anew with each datagram, so what becomes of one depends on the seed and its number alone. Where a
    toxic before this one delays, datagrams are asked about as they came, and `flow.now` may go back.
    """

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        """A datagram came; it may be empty."""
        yield Send(data)
