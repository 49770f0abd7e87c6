"""Events, sent to everyone who is listening at that moment."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import final

from notes.models import Event

Events = asyncio.Queue[Event | None]
"""The events of one listener; `None` is the last."""


@final
class Feed:
    """A feed that hands each event to all listeners."""

    def __init__(self) -> None:
        self._listeners: set[Events] = set()

    @contextmanager
    def listen(self) -> Generator[Events, None, None]:
        """Yield a queue with the events published until the block is left."""
        events: Events = asyncio.Queue()
        self._listeners.add(events)
        try:
            yield events
        finally:
            self._listeners.discard(events)

    def publish(self, event: Event | None) -> None:
        """Send an event to all listeners; `None` means that it was the last."""
        for events in self._listeners:
            events.put_nowait(event)
