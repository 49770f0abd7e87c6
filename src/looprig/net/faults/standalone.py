"""A proxy that is created by hand. It records where, and runs until its `async with` block ends.

Does not know the protocol, or what is behind the proxy.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypeVar

from looprig.location import UNKNOWN, Location, user_location
from looprig.net.faults.controls import AnyLink, FaultControls
from looprig.toxics.rule import Rule

__all__ = ["StandaloneProxy"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

T = TypeVar("T", bound=Rule)
L = TypeVar("L", bound=AnyLink)


@dataclass(kw_only=True, eq=False, repr=False)
class StandaloneProxy(FaultControls[T, L]):
    """A proxy that is its own context manager."""

    _at: Location = field(default=UNKNOWN, init=False)

    def __post_init__(self, *given: object) -> None:
        self._at = user_location()
        super().__post_init__(*given)

    def _declared_at(self) -> Location:
        return self._at

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close(error)
