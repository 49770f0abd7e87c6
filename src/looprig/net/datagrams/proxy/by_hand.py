"""A UDP proxy in front of an address, made by hand. For one in front of a declared service see `services.udp_proxy`.

Does not know what listens there. Invariant: it runs from the beginning of its `async with` block to the end.
"""

from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import Final, Self, final

from looprig.location import UNKNOWN, Location, caller_location
from looprig.net.datagrams.proxy.controls import DatagramControls

__all__ = ["DatagramProxy"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@final
@dataclass(eq=False, repr=False)
class DatagramProxy(DatagramControls):
    """A UDP proxy in front of `upstream`, a host and a port.

        async with DatagramProxy(("127.0.0.1", 5353), toxics=[Loss(0.1)]) as proxy:
            ...  # send to proxy.address

    Raises `OSError` where `upstream` cannot be resolved, and an `ExceptionGroup` of its errors that nobody took.
    """

    upstream: tuple[str, int]
    _: KW_ONLY
    _at: Location = field(default=UNKNOWN, init=False)

    def __post_init__(self) -> None:
        self._at = caller_location(2)  # __init__ is between

    def _upstream(self) -> tuple[str, int]:
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
