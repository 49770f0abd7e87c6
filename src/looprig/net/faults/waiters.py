"""Waiting until a condition is true.

Does not poll: code that may make a condition true calls `changed`. Invariant: a cancelled waiter is removed.
"""

import asyncio
from collections.abc import Callable
from typing import final

__all__ = ["Waiters"]


@final
class Waiters:
    """The tasks that wait until a link reaches some state."""

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
