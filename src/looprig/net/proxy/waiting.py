"""Waiting for something to be so that nothing tells by itself.

Does not look by itself: whoever changes something says `changed`. Invariant: who is cancelled waits no more.
"""

import asyncio
from collections.abc import Callable
from typing import final

__all__ = ["Waiting"]


@final
class Waiting:
    """Those who wait for a link to come to some state."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[asyncio.Future[None], Callable[[], bool]] = {}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until something is so. It has no limit."""
        if condition():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = condition
        try:
            await waiter
        finally:
            self._waiters.pop(waiter, None)

    def changed(self) -> None:
        """Something is another way now: wakes those for whom it is so."""
        for waiter, condition in list(self._waiters.items()):
            if condition() and not waiter.done():
                waiter.set_result(None)
