"""The streams and websockets of a client whose blocks have not been left yet.

A test may lose one, for example in an `AsyncExitStack` that it never closes. The client then closes it. Or it may use
one before it has entered the block.

Does no I/O itself, and does not report what was lost (the plugin does).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, final

from looprig.watch.leak_reports import LeftOpen

__all__ = ["NotEntered", "OpenBlocks"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


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


class NotEntered:
    """A block whose use before it is entered is an error that says how to enter it."""

    example: ClassVar[str]
    shown: LeftOpen

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or name == "shown":
            raise AttributeError(name)
        raise AttributeError(f"{self.shown.name} has no {name}, since it isn't open yet. Open it: {self.example}")

    def __await__(self) -> NoReturn:
        raise TypeError(f"{self.shown.name} can't be awaited. Open it: {self.example}")

    if not TYPE_CHECKING:  # type checkers report a `with` by themselves

        def __enter__(self) -> NoReturn:
            raise TypeError(f"{self.shown.name} can't be opened by `with`. Open it: {self.example}")

        def __exit__(self, *args: object) -> NoReturn:
            raise AssertionError  # Python only looks whether it exists
