"""The background worker: deletes notes that have expired, and publishes that."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

from notes.feed import Feed
from notes.models import Expired
from notes.storage import Storage


@dataclass(kw_only=True)
class Sweeper:
    """A worker that sweeps every `interval` seconds, from `start` to `stop`."""

    storage: Storage
    feed: Feed = field(default_factory=Feed)
    interval: float = 1.0
    _task: "asyncio.Task[None] | None" = field(default=None, init=False, repr=False)

    async def start(self) -> None:
        """Start sweeping."""
        self._task = asyncio.create_task(self._sweep(), name="sweeper")

    async def stop(self) -> None:
        """Stop sweeping, and raise the error of the last sweep if there was one."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _sweep(self) -> None:
        while True:
            for note_id in await self.storage.expire(time.time()):
                self.feed.publish(Expired(note_id))
            await asyncio.sleep(self.interval)
