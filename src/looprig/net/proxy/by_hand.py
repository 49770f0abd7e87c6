"""What proxies that are made by hand have in common: a place where they were made, and a block in which they run.

Does not know what a proxy carries. Invariant: it runs from the beginning of its `async with` block to the end.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypeVar

from looprig.location import UNKNOWN, Location, caller_location
from looprig.net.proxy.fault_controls import FaultControls, FaultLink
from looprig.toxics.rule import Rule

__all__ = ["MadeByHand"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

T = TypeVar("T", bound=Rule)
L = TypeVar("L", bound=FaultLink)


@dataclass(kw_only=True, eq=False, repr=False)
class MadeByHand(FaultControls[T, L]):
    """A proxy that is its own context manager."""

    _at: Location = field(default=UNKNOWN, init=False)

    def __post_init__(self) -> None:
        self._at = caller_location(2)  # __init__ is between

    def _declared_at(self) -> Location:
        return self._at

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close(error)
