"""A UDP proxy in front of an address. For one in front of a declared service see `services.udp_proxy`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, final

from looprig.declare.values import Check
from looprig.net.address import ADDRESS
from looprig.net.faults.standalone import StandaloneProxy
from looprig.net.udp.controls import UdpControls
from looprig.net.udp.link import UdpLink
from looprig.toxics.udp.toxic import Toxic

__all__ = ["DatagramProxy"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
@dataclass(eq=False, repr=False)
class DatagramProxy(StandaloneProxy[Toxic, UdpLink], UdpControls):
    """A UDP proxy in front of `upstream`, a host and a port.

        async with DatagramProxy(("127.0.0.1", 5353), toxics=[Loss(0.1)]) as proxy:
            ...  # send to proxy.address

    Raises `OSError` if `upstream` can't be resolved, and an `ExceptionGroup` of unhandled errors at the end of the
    block.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"upstream": ADDRESS}

    upstream: tuple[str, int]

    def _upstream(self) -> tuple[str, int]:
        return self.upstream
