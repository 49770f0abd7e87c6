"""Events, told to everyone who listens at that moment."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import final

from notes.models import Event

Events = asyncio.Queue[Event | None]
"""The events of one listener; `None` is the last."""


@final
class Feed:
    """Hands each event to all listeners."""

    def __init__(self) -> None:
        self._listeners: set[Events] = set()

    @contextmanager
    def listen(self) -> Generator[Events, None, None]:
        """Gives the events that are published from now until the block is left."""
        events: Events = asyncio.Queue()
        self._listeners.add(events)
        try:
            yield events
        finally:
            self._listeners.discard(events)

    def publish(self, event: Event | None) -> None:
        """Tells an event to all, or with `None` that there will be no more."""
        for events in self._listeners:
            events.put_nowait(event)
