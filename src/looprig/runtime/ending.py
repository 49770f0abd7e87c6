"""Helpers to end what runs on a loop: wait for tasks and threads, and prepare the errors to raise.

Does not decide what to end (`host` does). Keeps its own references to asyncio's functions, since a test may patch them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from typing import Any, Final

from looprig.runtime.clock import Alarm, now, ring_on
from looprig.runtime.current import run_forever
from looprig.runtime.operation import GRACE, ROUNDS, has_more

__all__ = ["ended", "is_closing", "kept", "run_last_rounds", "shut_down"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_CLOSING_ROUNDS: Final = 4
"""Minimum number of rounds before a loop that has something to do is closed, as under `asyncio.run`."""
_sleep, _wait = asyncio.sleep, asyncio.wait


def is_closing(task: asyncio.Task[Any]) -> bool:
    """Return whether a task closes an async generator that was abandoned."""
    return type(task.get_coro()).__name__ == "async_generator_athrow"  # a type without a public name


async def ended(tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for tasks to end, for at most `GRACE` seconds of real time."""
    loop = asyncio.get_running_loop()
    for _ in range(ROUNDS):  # the fast path, since nearly all tasks end at once
        await _sleep(0)
        if all(task.done() for task in tasks):
            return
    waiting = loop.create_task(_wait(tasks))
    alarm = Alarm(now() + GRACE, ring_on(loop, waiting.cancel))
    try:
        with suppress(asyncio.CancelledError):
            await waiting
    finally:
        alarm.cancel()


async def shut_down(executor: Executor) -> None:
    """Wait for the threads of an executor, which may still need the loop."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def set_done() -> None:
        if not done.done():
            done.set_result(None)

    def wait() -> None:
        executor.shutdown(wait=True)
        ring_on(loop, set_done)()

    threading.Thread(target=wait, name="looprig: waits for an executor", daemon=True).start()
    await done


@contextmanager
def kept(errors: list[Exception]) -> Generator[None, None, None]:
    """Catch an error of the block and add it to `errors`, so that later steps run, and all are raised together."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above
        errors.append(error)


def run_last_rounds(running: asyncio.AbstractEventLoop) -> bool:
    """Run what is due on the loop: closing transports, and callbacks, including those of ready sockets.

    Returns whether there was anything that could be due.
    """
    loop: Any = running
    try:
        # The only socket of an idle loop is the loop's own. A half-closed transport isn't watched any more.
        is_idle = not (
            loop._ready  # noqa: SLF001 - asyncio's, as the others
            or loop._scheduled  # noqa: SLF001
            or loop._transports.data  # noqa: SLF001
            or len(loop._selector.get_map()) > 1  # noqa: SLF001
        )
    except (AttributeError, TypeError):  # not one of asyncio's own loops
        is_idle = False
    if is_idle:
        return False
    rounds = 0

    def again() -> None:
        nonlocal rounds
        rounds += 1
        if rounds < _CLOSING_ROUNDS or has_more(loop, rounds):
            loop.call_soon(again)
        else:
            loop.stop()

    loop.call_soon(again)
    run_forever(loop)
    return True
