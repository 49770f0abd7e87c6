"""Callbacks that block their loop: the line that does, and for how long.

Does not interrupt anything: `looprig.runtime.limit` does, once a time limit has passed.

Invariants:
1. A block is reported only if a single callback or step of a task lasts that long, not several in a row.
2. Only code of the suite is reported, or what it calls. What a library or looprig runs by itself is not.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final, final

from looprig.exceptions import BlockedLoopError
from looprig.location import Location
from looprig.runtime.stacks import is_of_suite
from looprig.runtime.tasks import Party, owner_of, party_of
from looprig.watch.patrol import PERIOD, Guard, Sight

__all__ = ["Block", "Blocking"]


@final
class Block:
    """A block of a loop, by the line at `place`. `parties` has the test or fixture too.

    `began` and `ended` are times at which the line was seen. `ended` is the last one so far.
    """

    __slots__ = ("began", "ended", "loop", "parties", "place")

    def __init__(self, place: Party, loop: asyncio.AbstractEventLoop, began: float, ended: float) -> None:
        self.began: Final = began
        self.ended: float = ended
        self.loop: Final = loop
        self.parties: Final = [place, *_owner_on(loop)]
        self.place: Final = place

    @property
    def seconds(self) -> float:
        """The duration so far, about `PERIOD` seconds exact."""
        return self.ended - self.began + PERIOD

    @property
    def error(self) -> BlockedLoopError:
        """The error, with the duration so far."""
        name, _ = self.place
        return BlockedLoopError(
            f"{name} blocked its loop for about {self.seconds:.1f} s.",
            self.parties,
            "Await an async function instead, or call it in a thread: await asyncio.to_thread(...).",
        )


@final
class Blocking(Guard):
    """A guard that notes each callback that holds a loop for `threshold` seconds. `phase` returns that of the test."""

    def __init__(self, threshold: float, note: Callable[[Block], None], phase: Callable[[], object]) -> None:
        self._note = note
        self._phase = phase
        self._threshold = threshold
        self._round: FrameType | None = None
        self._callback = -1
        self._since = 0.0
        self._block: Block | None = None
        self._cpu = _cpu_clock()
        self._last: tuple[float, float, object] = (0.0, 0.0, None)

    def look(self, sight: Sight) -> None:
        """Compare the running callback with that of the last look."""
        late = self._held_since_last(sight.at)
        if sight.round is None or sight.is_waiting:
            self._forget(None)
            return
        if sight.round is not self._round:
            self._forget(sight.round)
            if late:  # a call into C kept all other threads from running
                self._found(sight, sight.at - late)
            return
        callback = sight.round.f_locals.get("i", -1)
        if callback != self._callback:
            self._callback, self._since, self._block = callback, sight.at - late, None
        if self._block is not None:
            self._block.ended = sight.at
        elif sight.at - self._since + PERIOD >= self._threshold:
            self._found(sight, self._since)

    def _forget(self, current: FrameType | None) -> None:
        self._round, self._callback, self._block = current, -1, None

    def _held_since_last(self, at: float) -> float:
        """Return for how long the main thread kept this one from looking, or 0 if that is below the threshold."""
        if self._cpu is None:
            return 0.0
        (then, used, before), self._last = self._last, (at, used_now := self._cpu(), phase := self._phase())
        late = min(at - then - PERIOD, used_now - used)
        # In another phase, it isn't certain that what runs now is what blocked.
        return late if phase is before and late >= self._threshold else 0.0

    def _found(self, sight: Sight, began: float) -> None:
        place = _place_in(sight)
        loop = None if sight.round is None else sight.round.f_locals.get("self")
        if place is not None and isinstance(loop, asyncio.AbstractEventLoop):
            self._block = Block(place, loop, began, sight.at)
            self._note(self._block)


def _place_in(sight: Sight) -> Party | None:
    """Return the name and line of the innermost function of the suite that the callback runs, if there is one."""
    frame: FrameType | None = sight.frame
    while frame is not None and frame is not sight.round:
        if is_of_suite(frame.f_code.co_filename):
            return frame.f_code.co_qualname, Location(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def _owner_on(loop: asyncio.AbstractEventLoop) -> list[Party]:
    """Return the test or fixture that the current task of a loop belongs to, if it has one."""
    task = asyncio.current_task(loop)
    party = None if task is None else party_of(owner_of(task))
    return [] if party is None else [party]


def _cpu_clock() -> Callable[[], float] | None:
    """Return a function for the processor time of this thread, to be called in others. Not every system has it."""
    find = getattr(time, "pthread_getcpuclockid", None)
    if find is None:
        return None
    clock, read = find(threading.get_ident()), time.clock_gettime
    return lambda: read(clock)
