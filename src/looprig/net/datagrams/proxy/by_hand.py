"""A UDP proxy in front of an address, made by hand. For one in front of a declared service see `services.udp_proxy`.

Does not know what listens there, and does not begin or end by itself (`net.proxy.by_hand` has it do so).
"""

from dataclasses import dataclass
from typing import Final, final

from looprig.net.datagrams.proxy.controls import DatagramControls
from looprig.net.datagrams.proxy.link import DatagramLink
from looprig.net.proxy.by_hand import MadeByHand
from looprig.toxics.udp.toxic import Toxic

__all__ = ["DatagramProxy"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@final
@dataclass(eq=False, repr=False)
class DatagramProxy(MadeByHand[Toxic, DatagramLink], DatagramControls):
    """A UDP proxy in front of `upstream`, a host and a port.

        async with DatagramProxy(("127.0.0.1", 5353), toxics=[Loss(0.1)]) as proxy:
            ...  # send to proxy.address

    Raises `OSError` where `upstream` cannot be resolved, and an `ExceptionGroup` of its errors that nobody took.
    """

    upstream: tuple[str, int]

    def _upstream(self) -> tuple[str, int]:
        return self.upstream
