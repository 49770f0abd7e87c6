"""A proxy in front of an address, made by hand. For one in front of a declared service see `services.proxy`.

Does not know what listens there. Invariant: it runs from the beginning of its `async with` block to the end.
"""

from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import Final, Self

from looprig.location import UNKNOWN, Location, caller_location
from looprig.net.proxy.controls import ProxyControls
from looprig.net.proxy.link import SocketAddress

__all__ = ["TcpProxy"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@dataclass(eq=False, repr=False)
class TcpProxy(ProxyControls):
    """A proxy in front of `upstream`: host and port, or the path of a Unix socket.

        async with TcpProxy(("127.0.0.1", 5432), toxics=[Latency(0.1)]) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)

    Raises `OSError` where `upstream` cannot be resolved, and an `ExceptionGroup` of its errors that nobody took.
    """

    upstream: SocketAddress
    _: KW_ONLY
    _at: Location = field(default=UNKNOWN, init=False)

    def __post_init__(self) -> None:
        self._at = caller_location(2)  # __init__ is between

    def _upstream(self) -> SocketAddress:
        return self.upstream

    def _declared_at(self) -> Location:
        return self._at

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()
