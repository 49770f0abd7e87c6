"""Work that blocks, done in a thread that ends with it.

The loop's own threads would outlive the service that needed one, like something that it left behind.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_thread"]

_T = TypeVar("_T")


async def in_thread(work: Callable[[], _T]) -> _T:
    """Run a function in a thread of its own and return its result. If this is cancelled, wait for the end of it."""
    with ThreadPoolExecutor(1, "looprig-kits") as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, work)
