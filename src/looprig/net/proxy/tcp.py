"""A proxy in front of an address, made by hand. For one in front of a declared service see `services.proxy`.

Does not know what listens there, and does not begin or end by itself (`by_hand` has it do so).
"""

from dataclasses import dataclass
from typing import Final

from looprig.net.proxy.by_hand import MadeByHand
from looprig.net.proxy.controls import ProxyControls
from looprig.net.proxy.link import Link, SocketAddress
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["TcpProxy"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@dataclass(eq=False, repr=False)
class TcpProxy(MadeByHand[Toxic, Link], ProxyControls):
    """A proxy in front of `upstream`: host and port, or the path of a Unix socket.

        async with TcpProxy(("127.0.0.1", 5432), toxics=[Latency(0.1)]) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)

    Raises `OSError` where `upstream` cannot be resolved, and an `ExceptionGroup` of its errors that nobody took.
    """

    upstream: SocketAddress

    def _upstream(self) -> SocketAddress:
        return self.upstream
