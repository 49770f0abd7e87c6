"""The streams and websockets of a client whose blocks have not been left yet.

A test may lose one, for example in an `AsyncExitStack` that it never closes. The client then closes it.

Does no I/O itself, and does not report what was lost (the plugin does).
"""

from collections.abc import Callable
from typing import Final, final

from looprig.watch.leak_reports import LeftOpen

__all__ = ["OpenBlocks"]


@final
class OpenBlocks:
    """The open streams and websockets of one client."""

    def __init__(self) -> None:
        self._blocks: Final[dict[object, tuple[LeftOpen, Callable[[], bool]]]] = {}

    def enter(self, block: object, shown: LeftOpen, close: Callable[[], bool]) -> None:
        """Record a block. `close` closes what it opened at once, and returns whether that was still open."""
        self._blocks[block] = shown, close

    def leave(self, block: object) -> None:
        """Record that a block was left."""
        self._blocks.pop(block, None)

    def close(self) -> list[LeftOpen]:
        """Close what is open, and return it."""
        found = [shown for shown, close in self._blocks.values() if close()]
        self._blocks.clear()
        return found
