"""Real time, and alarms and time limits based on it, whatever a test does to the clock.

freezegun, time-machine and loops with virtual time replace the clocks that a test sees. A limit on such a clock would
expire when the test moves it, and never while the test freezes it. Does not decide what happens when an alarm rings.

Invariants:
1. Alarms ring in a separate thread, so they ring even while the main thread is blocked.
2. Setting an alarm wakes that thread only if the thread would otherwise wake too late.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, final

__all__ = ["Alarm", "Timeout", "is_in_ringer", "now", "ring_on", "sleep", "will_ring_on"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_read: Final[Callable[[int], float] | None] = getattr(time, "clock_gettime", None)
_MONOTONIC: Final[int] = getattr(time, "CLOCK_MONOTONIC", 0)
# For Windows. The tuple protects it from freezegun, which replaces clocks in module globals.
_OTHER: Final = (time.monotonic,)


def now() -> float:
    """Return the time of the system's monotonic clock, in seconds."""
    return _OTHER[0]() if _read is None else _read(_MONOTONIC)


@final
class Alarm:
    """A scheduled call of `ring`, in another thread, when `now()` reaches `deadline`."""

    __slots__ = ("deadline", "ring")

    def __init__(self, deadline: float, ring: Callable[[], object]) -> None:
        self.deadline: Final = deadline
        self.ring: Final = ring
        _ringer.add(self)

    def cancel(self) -> None:
        """Cancel the alarm. Safe to call twice, and after the alarm has rung."""
        _ringer.alarms.discard(self)


@final
class _Ringer:
    """The thread that rings all alarms of the process. It starts when the first alarm is set."""

    def __init__(self) -> None:
        self.alarms: set[Alarm] = set()
        self.reset()

    def reset(self) -> None:
        """Forget the thread and all alarms, in a forked child, which has no such thread."""
        self.alarms.clear()
        # Reentrant, since a signal handler may set an alarm while the same thread is setting one.
        self._changed = threading.Condition(threading.RLock())
        self._is_running = False
        self.thread: int = 0
        """The identifier of the thread, or 0 before it runs."""
        self._wakes_at = float("inf")

    def add(self, alarm: Alarm) -> None:
        """Schedule an alarm."""
        with self._changed:
            self.alarms.add(alarm)
            if not self._is_running:
                self._is_running = True
                # Not a `threading.Thread`: suites that look for leaked threads must not find it.
                _thread.start_new_thread(self._run, (self._changed,))
            elif alarm.deadline < self._wakes_at:
                self._changed.notify()

    def _run(self, changed: threading.Condition) -> None:
        self.thread = threading.get_ident()
        while True:
            with changed:
                self._wakes_at = min((alarm.deadline for alarm in self.alarms.copy()), default=float("inf"))
                left = self._wakes_at - now()
                if left > 0:
                    changed.wait(min(left, threading.TIMEOUT_MAX))
                due = [alarm for alarm in self.alarms.copy() if alarm.deadline <= now()]
                self.alarms.difference_update(due)
            for alarm in due:
                try:
                    alarm.ring()
                except Exception:  # noqa: BLE001 - one alarm must not stop all later ones
                    threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), None)))


_ringer: Final = _Ringer()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ringer.reset)


def is_in_ringer() -> bool:
    """Return whether the calling thread is the one that rings alarms."""
    return threading.get_ident() == _ringer.thread


@final
class ring_on:  # noqa: N801 - called as a function
    """A function for an alarm that calls `callback` on `loop`. It does nothing once the loop is closed."""

    __slots__ = ("_callback", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
        self._callback: Final = callback
        self.loop: Final = loop

    def __call__(self) -> None:
        """Make the loop call it soon. Safe in any thread."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._callback)


def will_ring_on(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether any alarm will call something on a loop, as the end of a `Timeout` does."""
    return any(isinstance(alarm.ring, ring_on) and alarm.ring.loop is loop for alarm in _ringer.alarms.copy())


async def sleep(seconds: float) -> None:
    """Wait for `seconds` of real time, like `asyncio.sleep`."""
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    alarm = Alarm(now() + seconds, ring_on(loop, wake))
    try:
        await woken
    finally:
        alarm.cancel()


@final
class Timeout:
    """A limit of `seconds` of real time on a block, like `asyncio.timeout`. `None` means no limit.

    `expiring` is called when the time is up, while the block still waits.

    Raises:
        TimeoutError: the block took longer.
    """

    # A class, since the frames of a decorated generator would be in every traceback from the block.
    __slots__ = ("_alarm", "_expiring", "_limit", "_seconds")

    def __init__(self, seconds: float | None, expiring: Callable[[], object] | None = None) -> None:
        self._expiring: Final = expiring
        self._limit: Final = asyncio.timeout(None)
        self._seconds: Final = seconds

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        if self._seconds is not None:
            self._alarm = Alarm(now() + self._seconds, ring_on(asyncio.get_running_loop(), self._expire))
        return self

    def _expire(self) -> None:
        if self._expiring is not None:
            self._expiring()
        with suppress(RuntimeError):  # the block has ended in the meantime
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if self._seconds is not None:
            self._alarm.cancel()
            del self._alarm  # it refers to this object, and that to the task
        return await self._limit.__aexit__(kind, error, traceback)  # type: ignore[func-returns-value]

    def expired(self) -> bool:
        """Return whether the block was cancelled because its time was up."""
        return self._limit.expired()
