"""Flipped bits: what arrives is not what was sent."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, final

from looprig.declare.values import PROBABILITY, Check
from looprig.toxics.effects import Effect, Note, Send
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Corrupt"]

_NOTED: Final = 20
"""Maximum number of flips to log in one direction. Those of a whole megabyte would drown the log."""


@dataclass(slots=True)
class _Aim:
    bit: int = -1  # position in the stream of the next flip
    flips: int = 0


@final
@dataclass(frozen=True, slots=True)
class Corrupt(Toxic):
    """Flips each bit with the probability `bit_rate`.

    The choice of bits depends on the seed and on their positions in the stream, not on how it is cut into chunks. A
    network doesn't do that to TCP, whose checksums would detect it. This simulates a broken peer or middlebox.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"bit_rate": PROBABILITY}

    bit_rate: float

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        if not self.bit_rate:
            yield Send(data)
            return
        aim = flow.state(_Aim)
        if aim.bit < 0:
            aim.bit = self._gap(flow)
        left = bytearray(data)
        at = flow.seen
        while aim.bit < (at + len(left)) * 8:
            byte, bit = divmod(aim.bit - at * 8, 8)
            aim.flips += 1
            aim.bit += 1 + self._gap(flow)
            if aim.flips <= _NOTED:
                # Send the bytes before it first: if that ends the connection, this flip never happens.
                yield Send(bytes(left[:byte]))
                at += byte
                del left[:byte]
                byte = 0
                more = "; further ones are not listed" if aim.flips == _NOTED else ""
                yield Note(f"flipped bit {bit} of byte {at}{more}")
            left[byte] ^= 1 << bit
        yield Send(bytes(left))

    def _gap(self, flow: Flow) -> int:
        """Return the number of bits to skip before the next flip, which has a geometric distribution."""
        if self.bit_rate >= 1.0:
            return 0
        return int(math.log1p(-flow.rng.random()) / math.log1p(-self.bit_rate))
