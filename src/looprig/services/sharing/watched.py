"""The end of other processes, as an event on the loop.

Linux has a descriptor for it. Elsewhere a process is looked at every now and then, which is rarely needed: the
connection of a process that dies ends too.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final

__all__ = ["watch_process"]

_POLL: Final = 0.1


def watch_process(pid: int, ended: Callable[[], object]) -> Callable[[], None]:
    """Call `ended` on this loop once a process has ended. Return a function that stops watching."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return loop.call_soon(ended).cancel
    except (AttributeError, OSError):
        return _polled(loop, pid, ended)
    left = [descriptor]

    def unwatch() -> None:
        if left:
            loop.remove_reader(descriptor)
            os.close(left.pop())

    def notice() -> None:
        unwatch()
        ended()

    loop.add_reader(descriptor, notice)
    return unwatch


def _polled(loop: asyncio.AbstractEventLoop, pid: int, ended: Callable[[], object]) -> Callable[[], None]:
    async def poll() -> None:
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                ended()
                return
            except PermissionError:
                pass
            await asyncio.sleep(_POLL)

    task = loop.create_task(poll())
    return lambda: void(task.cancel())


def void(_: object) -> None:
    """Return nothing."""
