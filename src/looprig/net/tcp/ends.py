"""The Protocol of connections, as their pipes use them. In a file of its own, since `connection` imports `pipe`."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from looprig.net.faults.events import EventKind
from looprig.net.tcp.line import Stage
from looprig.toxics.flow import FlowDirection

__all__ = ["Ends"]


class Ends(Protocol):
    """The part of a connection that its pipes use."""

    def direction_ended(self, direction: FlowDirection, by: str) -> None:
        """End a direction after its end has passed all toxics. `by` is the toxic that ended it, if one did."""

    def close_orderly(self, by: str, direction: FlowDirection | None = None) -> None:
        """End both directions gracefully, because of an event in one of them."""

    def reset(self, by: str, direction: FlowDirection | None = None) -> None:
        """Reset both sides, because of an event in one direction if one is given."""

    def toxic_failed(self, stage: Stage, error: BaseException) -> None:
        """Report that a toxic raised."""

    def lost_bytes(self, stage: Stage) -> None:
        """Handle a gap in the stream, caused by a removed toxic that lost bytes."""

    def note(self, kind: EventKind, direction: FlowDirection | None, toxic: str, detail: str = "") -> None:
        """Log an event."""

    def drained(self, direction: FlowDirection) -> None:
        """Continue to end the connection, after one direction has written all its held data to its sink."""

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """Start a task that ends no later than the proxy."""
        ...
