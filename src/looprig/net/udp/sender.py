"""Sending of datagrams when they are due, and reports of those that could not be sent.

Does not know toxics. Invariants:
1. There is at most one timer, and none while no datagram waits.
2. Due datagrams are sent at once, in order. If the kernel has no room for one, it and those behind it wait.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final, final

from looprig.net.udp.chain import Delays
from looprig.net.udp.connection import Pipe
from looprig.net.udp.schedule import Schedule
from looprig.runtime.clock import now

__all__ = ["Sender", "clock"]

clock: Final = now  # not the loop's clock, since uvloop's only advances once in each round

_LEAST: Final = 0.001
"""Minimum delay of a timer in seconds, since loops count in milliseconds, and a timer that fires early is set again."""


@final
class Sender:
    """The datagrams that one link has received but not sent on yet."""

    __slots__ = ("_failed", "_loop", "_schedule", "_timer", "_timer_at")

    def __init__(self, failed: Callable[[Pipe, bytes, OSError], None]) -> None:
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._schedule: Schedule[Pipe] = Schedule()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def add(self, data: bytes, came: float, delays: Delays, pipe: Pipe) -> None:
        """Add a datagram. If it is due already, `release` sends it."""
        pipe.held += 1
        self._schedule.push(data, came, delays, pipe)

    def refresh(self) -> None:
        """Send the datagrams that only removed toxics held back."""
        self._schedule.refresh()
        self.release()

    def release(self) -> None:
        """Send the datagrams that are due."""
        self._send_until(clock())

    def flush(self) -> None:
        """Send all held datagrams, due or not, and drop those that the kernel does not accept."""
        self._send_until(math.inf)
        self._unset()
        self._schedule = Schedule()

    def _send_until(self, limit: float) -> None:
        schedule = self._schedule
        while schedule and schedule.first.due <= limit:
            if not self._send(schedule.first.pipe, schedule.first.data):
                self._set(clock() + _LEAST)
                return
            pipe = schedule.pop().pipe
            pipe.held -= 1
            pipe.connection.active_at = clock()
        if schedule:
            self._set(schedule.first.due)
        else:
            self._unset()

    def _send(self, pipe: Pipe, data: bytes) -> bool:
        if not pipe.connection.is_open:
            return True
        try:
            return pipe.send(data)
        except OSError as error:
            self._failed(pipe, data, error)
            return True

    def _set(self, at: float) -> None:
        if self._timer is not None and self._timer_at == at:
            return
        self._unset()
        if at < math.inf:
            self._timer_at = at
            self._timer = self._loop.call_later(max(at - clock(), _LEAST), self._rings)

    def _unset(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self.release()
