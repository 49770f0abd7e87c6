"""Everything that may wake a waiting loop: descriptors, signals, alarms and other threads.

Does not look at the loop's own callbacks and timers. Loaded only once a loop waits without a deadline.

Invariant: anything that isn't known to leave the loop alone may wake it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from looprig.runtime.clock import will_ring_on
from looprig.runtime.stacks import thread_frames

__all__ = ["can_be_woken"]

_HARMLESS: Final = frozenset({"_signal", "coverage", "execnet", "looprig", "pytest_timeout", "xdist"})
"""Packages whose threads and signal handlers don't wake the loop of a test."""
_WAKING: Final = frozenset({"looprig.runtime.ending", "looprig.runtime.loop_thread"})
"""Modules of those packages whose threads do: one waits for an executor, the other runs services of the suite."""


def can_be_woken(loop: Any, *, harmless: int = 0) -> bool:
    """Return whether anything may wake a loop of asyncio's own. Call it while the loop waits, from another thread.

    `harmless` is the number of threads that Python doesn't know and that don't wake loops.
    """
    try:
        own = loop._ssock.fileno()  # noqa: SLF001 - asyncio's pipe to itself
        has_others = any(key.fd != own for key in loop._selector.get_map().values())  # noqa: SLF001
    except (AttributeError, RuntimeError, TypeError):  # another loop, or one that changes meanwhile
        return True
    return has_others or will_ring_on(loop) or _handles_signals() or _has_thread(harmless)


def _handles_signals() -> bool:
    """Return whether a signal is handled by a function that may do anything, also for a handler of the loop."""
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    return any(callable(each) and _package(getattr(each, "__module__", "")) not in _HARMLESS for each in handlers)


def _has_thread(harmless: int) -> bool:
    """Return whether a thread may wake the loop, including those that Python doesn't know."""
    frames = thread_frames()
    if _native_threads() > len(frames) + harmless:
        return True
    quiet = {threading.main_thread().ident, threading.get_ident()}
    return any(not _is_harmless([*_outwards(frame)]) for ident, frame in frames.items() if ident not in quiet)


def _native_threads() -> int:
    """Return the number of threads of this process that the system knows, or 0 if that can't be found out."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - much faster
    except OSError:
        return 0


def _is_harmless(frames: list[FrameType]) -> bool:
    """Return whether a thread, given its frames from the innermost one outwards, won't wake the loop of a test."""
    innermost = frames[0]
    if innermost.f_code.co_name == "_worker" and _module(innermost) == "concurrent.futures.thread":
        return bool(innermost.f_locals["work_queue"].empty())  # a thread of an executor that has nothing to do
    outermost = next((frame for frame in reversed(frames) if _module(frame) != "threading"), None)
    if outermost is None:
        timer = frames[-3].f_locals.get("self") if len(frames) > 2 else None  # noqa: PLR2004 - below are two of `Thread`
        return _package(getattr(getattr(timer, "function", None), "__module__", "")) in _HARMLESS
    return (
        (_package(_module(outermost)) in _HARMLESS and _module(outermost) not in _WAKING)
        or _is_idle_worker_of_anyio(outermost, frames)
        or _waits_for_child_of_closed_loop(outermost)
    )


def _waits_for_child_of_closed_loop(outermost: FrameType) -> bool:
    """Return whether a thread of asyncio's waits for a child process that outlived its loop."""
    if outermost.f_code.co_name != "_do_waitpid" or _package(_module(outermost)) != "asyncio":
        return False
    loop: Any = outermost.f_locals.get("loop")
    return loop is not None and bool(loop.is_closed())


def _is_idle_worker_of_anyio(outermost: FrameType, frames: list[FrameType]) -> bool:
    worker: Any = outermost.f_locals.get("self")
    waits_in = next((frame for frame in frames if _module(frame) == "queue"), None)
    return (
        type(worker).__name__ == "WorkerThread"
        and _package(_module(outermost)) == "anyio"
        and waits_in is not None
        and waits_in.f_locals.get("self") is worker.queue
    )


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _package(module: str | None) -> str:
    return str(module).partition(".")[0]
