"""What a pipe may ask of its connection.

Does nothing by itself. It is here, and not with the connection, since that is made of pipes.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from looprig.net.proxy.events import EventKind
from looprig.net.proxy.line import Stage
from looprig.toxics.flow import FlowDirection

__all__ = ["Ends"]


class Ends(Protocol):
    """The connection, as far as a pipe may end it."""

    def direction_ended(self, direction: FlowDirection, by: str) -> None:
        """The end of a direction has gone through; `by` is the toxic that made it, if one did."""
        ...

    def close_orderly(self, by: str, direction: FlowDirection | None = None) -> None:
        """Both directions are to end in good order, for what came in one of them."""
        ...

    def reset(self, by: str, direction: FlowDirection | None = None) -> None:
        """Both sides are to be reset, for what came in one direction if it was that."""
        ...

    def toxic_failed(self, stage: Stage, error: BaseException) -> None:
        """A toxic raised."""
        ...

    def lost_bytes(self, stage: Stage) -> None:
        """A toxic has made a gap that its being taken off cannot undo."""
        ...

    def note(self, kind: EventKind, direction: FlowDirection | None, toxic: str, detail: str = "") -> None:
        """Something for the log."""
        ...

    def drained(self, direction: FlowDirection) -> None:
        """A direction that was to finish has handed all that it held to its sink."""
        ...

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """A task that ends with the proxy at the latest."""
        ...
