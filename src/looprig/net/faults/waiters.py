"""Waiting for a condition that has no event.

Does not poll: whatever changes something calls `changed`. Invariant: a cancelled waiter is forgotten.
"""

import asyncio
from collections.abc import Callable
from typing import final

__all__ = ["Waiters"]


@final
class Waiters:
    """The tasks that wait for a link to reach some state."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait, without a time limit, until `condition()` is true."""
        if condition():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = condition
        try:
            await waiter
        finally:
            self._waiting.pop(waiter, None)

    def changed(self) -> None:
        """Wake the waiters whose condition is true now."""
        for waiter, condition in list(self._waiting.items()):
            if condition() and not waiter.done():
                waiter.set_result(None)
