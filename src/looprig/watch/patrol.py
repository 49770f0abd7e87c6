"""The patrol: it looks at the stack of the main thread every 20 ms while a test runs on a loop.

Tells its guards what it sees, and does not decide what is wrong: `blocking`, `deadlocks` and `hangs` do.

Invariants:
1. The loop and its callbacks aren't touched, so they take no longer than without the patrol.
2. The patrol keeps nothing alive: no frame outlives a look, and while it has one, it doesn't wait for anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final, NamedTuple, final

from looprig.runtime.clock import Alarm, now
from looprig.runtime.stacks import thread_frames

__all__ = ["PERIOD", "Guard", "Patrol", "Sight"]

PERIOD: Final = 0.02
"""Seconds between two looks."""


@final
class Sight(NamedTuple):
    """The main thread at one look of the patrol.

    Attributes:
        at: the time of the look, in seconds.
        frame: the innermost frame of the main thread.
        round: the frame of the innermost round (`_run_once`) of a loop, or `None`. uvloop has no such frame.
    """

    at: float
    frame: FrameType
    round: FrameType | None

    @property
    def is_waiting(self) -> bool:
        """Whether the round waits for events, and runs no callback."""
        return self.frame.f_code.co_name == "select" and self.frame.f_back is self.round

    @property
    def waits_for_ever(self) -> bool:
        """Whether the round waits for events without a deadline."""
        if not self.is_waiting:
            return False
        timeout = self.frame.f_locals.get("timeout", 0)
        return timeout is None or timeout < 0


class Guard:
    """Base class of watchdogs that the patrol calls, in another thread than the main one."""

    def measure(self) -> None:
        """Prepare for a look. Anything that may let the main thread run, such as reading a file, happens here."""

    def look(self, sight: Sight, /) -> None:
        """Handle what the patrol sees. Whoever keeps a frame, or waits, keeps alive what its functions hold."""


@final
class Patrol:
    """The patrol over the thread that creates it. It looks while `is_on_duty` returns true."""

    def __init__(self, is_on_duty: Callable[[], bool], guards: Sequence[Guard]) -> None:
        self._guards = guards
        self._is_on_duty = is_on_duty
        self._lock: Final = threading.Lock()
        self._main: Final = threading.get_ident()
        self.is_under_way: bool = False
        """Whether the next look is scheduled."""

    def start(self) -> None:
        """Start looking. Call it if `is_under_way` is false, once the patrol is on duty."""
        with self._lock:
            if not self.is_under_way:
                self.is_under_way = True
                Alarm(now() + PERIOD, self._look)

    def _look(self) -> None:
        # In this order, so that a test that begins meanwhile sees that it has to start the patrol again.
        self.is_under_way = False
        if not self._is_on_duty():
            return
        self.start()
        for guard in self._guards:
            guard.measure()
        if (frame := thread_frames().get(self._main)) is not None:
            sight = Sight(now(), frame, _round_in(frame))
            for guard in self._guards:
                guard.look(sight)


def _round_in(frame: FrameType | None) -> FrameType | None:
    while frame is not None:
        if frame.f_code.co_name == "_run_once" and frame.f_globals.get("__name__") == "asyncio.base_events":
            return frame
        frame = frame.f_back
    return None
