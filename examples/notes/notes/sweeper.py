"""The worker in the background: deletes notes whose time is up, and tells so."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

from notes.feed import Feed
from notes.models import Expired
from notes.storage import Storage


@dataclass(kw_only=True)
class Sweeper:
    """Sweeps every `interval` seconds, from `start` to `stop`."""

    storage: Storage
    feed: Feed = field(default_factory=Feed)
    interval: float = 1.0
    _task: "asyncio.Task[None] | None" = field(default=None, init=False, repr=False)

    async def start(self) -> None:
        """Begins to sweep."""
        self._task = asyncio.create_task(self._sweep(), name="sweeper")

    async def stop(self) -> None:
        """Sweeps no more; an error of the last sweep is raised here."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _sweep(self) -> None:
        while True:
            for note_id in await self.storage.expire(time.time()):
                self.feed.publish(Expired(note_id))
            await asyncio.sleep(self.interval)
