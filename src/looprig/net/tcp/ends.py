"""The connection, as its pipes see it: a Protocol in a file of its own, since connections are made of pipes."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from looprig.net.faults.events import EventKind
from looprig.net.tcp.line import Stage
from looprig.toxics.flow import FlowDirection

__all__ = ["Ends"]


class Ends(Protocol):
    """A connection, as its pipes see it."""

    def direction_ended(self, direction: FlowDirection, by: str) -> None:
        """End one direction, whose end has passed all toxics. `by` is the toxic that ended it, if one did."""

    def close_orderly(self, by: str, direction: FlowDirection | None = None) -> None:
        """End both directions in good order, because of what came in one of them."""

    def reset(self, by: str, direction: FlowDirection | None = None) -> None:
        """Reset both sides, because of what came in one direction if one is given."""

    def toxic_failed(self, stage: Stage, error: BaseException) -> None:
        """Report that a toxic raised."""

    def lost_bytes(self, stage: Stage) -> None:
        """Deal with a toxic that lost bytes and is off: the stream has a gap."""

    def note(self, kind: EventKind, direction: FlowDirection | None, toxic: str, detail: str = "") -> None:
        """Log an event."""

    def drained(self, direction: FlowDirection) -> None:
        """Continue to end the connection: one direction has written all that it held to its sink."""

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """Start a task that ends with the proxy at the latest."""
        ...
