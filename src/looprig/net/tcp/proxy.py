"""A TCP proxy in front of an address. For one in front of a declared service see `services.proxy`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from looprig.declare.values import Check
from looprig.net.address import SOCKET_ADDRESS
from looprig.net.faults.standalone import StandaloneProxy
from looprig.net.tcp.controls import TcpControls
from looprig.net.tcp.link import SocketAddress, TcpLink
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["TcpProxy"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@dataclass(eq=False, repr=False)
class TcpProxy(StandaloneProxy[Toxic, TcpLink], TcpControls):
    """A TCP proxy in front of `upstream`: host and port, or the path of a Unix socket.

        async with TcpProxy(("127.0.0.1", 5432), toxics=[Latency(0.1)]) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)

    Raises `OSError` if `upstream` can't be resolved, and an `ExceptionGroup` of unhandled errors at the end of the
    block. Requires POSIX: on Windows, its start is a `ServiceStartError`.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"upstream": SOCKET_ADDRESS}

    upstream: SocketAddress

    def _upstream(self) -> SocketAddress:
        return self.upstream
