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
"""A number of bits greater than in the largest datagram."""


@final
@dataclass(frozen=True, slots=True)
class Corrupt(Toxic):
    """Flips each bit with the probability `bit_rate`.

    The choice of bits depends on the seed and the number of the datagram. The UDP checksum matches the flipped bits, so
    the receiver does not notice. In a network this happens if a device rebuilds packets.
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
        """Return the number of bits to skip before the next flip, which has a geometric distribution."""
        if not 0.0 < self.bit_rate < 1.0:
            return 0 if self.bit_rate else _FAR
        return int(min(_FAR, math.log1p(-flow.rng.random()) / math.log1p(-self.bit_rate)))
