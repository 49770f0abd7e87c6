"""Callbacks that block their loop: the line that does, and for how long.

Does not interrupt anything: `looprig.runtime.limit` does, once a time limit has passed.

Invariants:
1. A block is reported only if a single callback or step of a task lasts that long, not several in a row.
2. Only code of the suite is reported, or what it calls. What a library or looprig runs by itself is not.
3. Time in which the thread or the whole process waits for a processor doesn't count (on Linux).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final, NamedTuple, final

from looprig.exceptions import BlockedLoopError
from looprig.location import Location
from looprig.runtime.clock import now
from looprig.runtime.stacks import is_of_suite
from looprig.runtime.tasks import Party, owner_of, party_of
from looprig.watch.patrol import PERIOD, Guard, Sight

__all__ = ["Block", "Blocking"]

_THIS_THREAD: Final = "/proc/thread-self"


@final
class Block:
    """A block of a loop, in which lines were seen as often as `lines` says.

    It lasts from `began` to `ended` so far, without the time in which it waited for a processor.
    """

    __slots__ = ("_owner", "began", "ended", "lines", "loop")

    def __init__(self, lines: Counter[Party], loop: asyncio.AbstractEventLoop, began: float, ended: float) -> None:
        self._owner: Final = _owner_on(loop)
        self.began: Final = began
        self.ended: float = ended
        self.lines: Final = lines
        self.loop: Final = loop

    @property
    def place(self) -> Party:
        """The line that was seen most, with the name of its function."""
        return self.lines.most_common(1)[0][0]

    @property
    def parties(self) -> Sequence[Party]:
        """The line, and the test or fixture."""
        return [self.place, *self._owner]

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


class _Measured(NamedTuple):
    """Figures of the main thread since the last look, in seconds.

    Attributes:
        passed: the time since then.
        used: the processor time that it used.
        queued: the time that it waited for a processor.
        late: how long it kept the patrol away, or 0 if that is below the threshold.
        is_runnable: whether it runs or waits for a processor now.
    """

    passed: float
    used: float
    queued: float
    late: float
    is_runnable: bool


@final
class Blocking(Guard):
    """A guard that notes each callback that holds a loop for `threshold` seconds. `phase` returns that of the test."""

    def __init__(self, threshold: float, note: Callable[[Block], None], phase: Callable[[], object]) -> None:
        self._note = note
        self._phase = phase
        self._threshold = threshold
        # The end of a round's time, a new object in each round, identifies it. A frame would keep others alive.
        self._callback: tuple[object, int] = (None, -1)
        self._since = 0.0
        self._used = 0.0
        self._block: Block | None = None
        # How often each line of the suite was seen in the callback, and how often none was.
        self._lines: Counter[Party] = Counter()
        self._elsewhere = 0
        self._cpu = _cpu_clock()
        self._thread = f"/proc/self/task/{threading.get_native_id()}"
        self._last: tuple[float, float, float, float] | None = None
        self._last_phase: object = None
        self._measured = _Measured(0.0, 0.0, 0.0, 0.0, is_runnable=False)

    def measure(self) -> None:
        """Find out what the main thread did since the last look."""
        figures = now(), self._cpu(), _time_queued(_THIS_THREAD), _time_queued(self._thread)
        then, self._last = self._last, figures
        before, self._last_phase = self._last_phase, self._phase()
        passed, used, kept, queued = (after - last for after, last in zip(figures, then or figures, strict=True))
        late = min(passed - PERIOD - kept, used)
        # In another phase, it isn't certain that what runs now is what blocked.
        late = late if self._last_phase is before and late >= self._threshold else 0.0
        self._measured = _Measured(passed, used, queued, late, is_runnable=_word(f"{self._thread}/stat", 0) == "R")

    def look(self, sight: Sight) -> None:
        """Compare the running callback with that of the last look."""
        if sight.round is None or sight.is_waiting:
            self._callback, self._block = (None, -1), None
            return
        measured = self._measured
        values = sight.round.f_locals
        (token, number), self._callback = self._callback, (values.get("end_time"), values.get("i", -1))
        if self._callback[0] is not token or self._callback[1] != number:
            self._since, self._used, self._block = sight.at - measured.late, measured.late, None
            self._lines, self._elsewhere = Counter(), 0
        else:
            # A late look says that something kept this thread from running: the callback only if it used the time.
            self._since += max(0.0, measured.passed - max(2 * PERIOD, measured.used)) + measured.queued
            self._used += measured.used
        if (place := _place_in(sight)) is not None:
            self._lines[place] += 1
        else:
            self._elsewhere += 1
        if self._block is not None:
            self._block.ended = self._block.began + sight.at - self._since
        elif sight.at - self._since + PERIOD >= self._threshold and (
            self._used >= self._threshold or not measured.is_runnable
        ):
            self._found(sight, self._since)

    def _found(self, sight: Sight, began: float) -> None:
        loop = None if sight.round is None else sight.round.f_locals.get("self")
        if self._lines.total() > self._elsewhere and isinstance(loop, asyncio.AbstractEventLoop):
            self._block = Block(self._lines, loop, began, sight.at)
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


def _cpu_clock() -> Callable[[], float]:
    """Return a function for the processor time of this thread, to be called in others. Not every system has it."""
    find = getattr(time, "pthread_getcpuclockid", None)
    if find is None:
        return lambda: 0.0
    clock, read = find(threading.get_ident()), time.clock_gettime
    return lambda: read(clock)


def _time_queued(thread: str) -> float:
    """Return for how long a thread has waited for a processor so far, without a wait that still lasts."""
    return int(_word(f"{thread}/schedstat", 1) or 0) / 1e9


def _word(path: str, number: int) -> str:
    """Return a word of one of a thread's files in /proc, not counting its name, or "" on other systems."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - much faster
            return file.read().rpartition(")")[2].split()[number]
    except (OSError, IndexError):
        return ""
