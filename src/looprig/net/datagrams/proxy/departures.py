"""Sends datagrams when they are due, and tells which could not be sent.

Does not know toxics. Invariants:
1. There is one timer, and none while nothing waits for a time.
2. What is due goes at once, in its order. What the kernel takes none of for now waits, and all that is behind it.
"""

import asyncio
import math
import time
from collections.abc import Callable, Collection
from typing import Final, final

from looprig.net.datagrams.proxy.course import Delays, Stage
from looprig.net.datagrams.proxy.exchange import Way
from looprig.net.datagrams.proxy.held import Held

__all__ = ["Departures", "clock"]

clock: Final = time.monotonic  # a loop's own clock may be behind by the time since its last round, as uvloop's is

_LEAST: Final = 0.001
"""Seconds: loops count timers in milliseconds, and one that rings early is set again."""


@final
class Departures:
    """All datagrams of one link that came and are not sent on yet."""

    __slots__ = ("_failed", "_held", "_loop", "_timer", "_timer_at")

    def __init__(self, failed: Callable[[Way, bytes, OSError], None]) -> None:
        self._failed = failed
        self._held: Held[Way] = Held()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def add(self, data: bytes, came: float, delays: Delays, way: Way) -> None:
        """One more, which may be due already: `release` sends it then."""
        way.held += 1
        self._held.push(data, came, delays, way)

    def take_off(self, stages: Collection[Stage]) -> None:
        """Sends what was held back by these stages alone."""
        self._held.take_off(stages)
        self.release()

    def release(self) -> None:
        """Sends what is due."""
        self._send_until(clock())

    def flush(self) -> None:
        """Sends all that is held, due or not, and forgets what the kernel does not take."""
        self._send_until(math.inf)
        self._unset()
        self._held = Held()

    def _send_until(self, limit: float) -> None:
        held = self._held
        while held and held.first.due <= limit:
            if not self._send(held.first.way, held.first.data):
                self._set(clock() + _LEAST)
                return
            way = held.pop().way
            way.held -= 1
            way.exchange.active_at = clock()
        if held:
            self._set(held.first.due)
        else:
            self._unset()

    def _send(self, way: Way, data: bytes) -> bool:
        if not way.exchange.is_open:
            return True
        try:
            return way.send(data)
        except OSError as error:
            self._failed(way, data, error)
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
