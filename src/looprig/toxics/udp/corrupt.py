"""Flipped bits in datagrams: what arrives is not what was sent."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, final

from looprig.declare.values import PROBABILITY, Check
from looprig.toxics.effects import Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.notes import noted
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Corrupt"]

_FAR: Final = 1 << 20
"""More bits than the largest datagram has."""


@final
@dataclass(frozen=True, slots=True)
class Corrupt(Toxic):
    """Flips each bit with the probability `bit_rate`.

    Which bits depends on the seed and the number of the datagram. The UDP checksum is computed again, so the receiver
    does not notice: in a network this happens where a device rebuilds packets.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"bit_rate": PROBABILITY}

    bit_rate: float

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        flipped = bytearray(data)
        at = self._gap(flow)
        while at < len(data) * 8:
            byte, bit = divmod(at, 8)
            flipped[byte] ^= 1 << bit
            yield from noted(flow, f"flipped bit {bit} of byte {byte} of datagram {flow.seen}")
            at += 1 + self._gap(flow)
        yield Send(bytes(flipped))

    def _gap(self, flow: Flow) -> int:
        """Return how many bits to skip before the next flip: the geometric distribution."""
        if not 0.0 < self.bit_rate < 1.0:
            return 0 if self.bit_rate else _FAR
        return int(min(_FAR, math.log1p(-flow.rng.random()) / math.log1p(-self.bit_rate)))
