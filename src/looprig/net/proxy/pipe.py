"""One direction of a connection: what comes from one socket goes through the toxics into the other.

Does not open or close sockets; the connection is told what to end (`Ends`). Invariants:
1. Bytes leave in the order in which they came, none twice; none is lost unless a toxic says so or the connection ends.
2. No more than `window` bytes are held, and what one read brings above that.
3. There is one timer, and one delay line.
4. With no toxic and nothing held, what comes is written at once (`is_fast`).
5. It is not entered twice: what a toxic's own code does to it is done when that code has come to its end.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias, cast, final

from looprig.net.proxy.course import Course
from looprig.net.proxy.ends import Ends
from looprig.net.proxy.line import DelayLine, Delays, Mark, Stage
from looprig.toxics.flow import FlowDirection

__all__ = ["Pipe"]

_HIGH: Final = 1 << 18
"""Bytes that may wait in the buffer of a transport before its source is held back."""

_RECORD: Final = 1 << 14
"""Bytes of a TLS record."""

_STEP: Final = 1 << 20
"""Bytes of room in the window that are worth reading on for."""

_clock: Final = time.monotonic  # a loop's own clock may be behind by the time since its last round, as uvloop's is


_Input: TypeAlias = bytes | Mark
"""What waits to go through the toxics: bytes, or an end."""


@final
class Pipe:
    """From `source` to `sink`, once both are there."""

    __slots__ = (
        "_course",
        "_ends",
        "_inbox",
        "_inbox_bytes",
        "_is_reading",
        "_is_working",
        "_line",
        "_loop",
        "_sink",
        "_source",
        "_starts",
        "_timer",
        "_timer_at",
        "_waiting",
        "direction",
        "has_ended",
        "has_finished",
        "is_blocked",
        "is_fast",
        "is_finishing",
        "passed",
        "window",
        "write",
    )

    def __init__(self, direction: FlowDirection, ends: Ends, window: int, loop: asyncio.AbstractEventLoop) -> None:
        self._course = Course(self)
        self._ends = ends
        self._inbox: deque[_Input] = deque()
        self._inbox_bytes = 0
        self._is_reading = True
        self._is_working = False
        self._line = DelayLine()
        self._loop = loop
        self._sink: asyncio.Transport | None = None
        self._source: asyncio.Transport | None = None
        self._starts: deque[Stage] = deque()
        """Toxics that are to begin: before anything that has not begun its way."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self.direction: Final = direction
        self.has_ended: bool = False
        """Whether its end, or a reset, is in the line or has left it: nothing that comes later goes on."""
        self.has_finished: bool = False
        """Whether all that was held when it was to `finish` is with its sink."""
        self.is_blocked: bool = False
        """Whether the sink takes no more for now."""
        self.is_fast: bool = False
        self.is_finishing: bool = False
        self.passed: int = 0
        """Bytes that were written to the sink."""
        self.window: Final = window
        self.write: Any = None  # the sink's, at hand for the fast path

    def open(self, source: asyncio.Transport, sink: asyncio.Transport) -> None:
        """Both sides are there: `start` may follow."""
        self._source, self._sink = source, sink
        self.write = sink.write
        high = min(_HIGH, self.window // 2)
        if sink.get_extra_info("ssl_object") is not None:
            high = max(high, _RECORD)  # with less, TLS of asyncio and uvloop finds that even nothing is too much
        sink.set_write_buffer_limits(high, high // 4)

    def is_held_back(self) -> None:
        """Its source is not read for now; once it is open, it decides that itself."""
        self._is_reading = False

    def start(self) -> None:
        """Begins to carry, unless the toxics of the other direction have ended the connection already."""
        self._work()

    @property
    def held(self) -> int:
        """Bytes that were read and are not in the sink's socket yet."""
        unsent = 0 if self._sink is None or self._sink.is_closing() else self._sink.get_write_buffer_size()
        return self._inbox_bytes + self._course.held + self._line.size + unsent

    # What comes

    def feed(self, data: bytes) -> None:
        """Some bytes were read."""
        if self.is_fast:
            self.passed += len(data)
            self.write(data)
        elif not (self.has_ended or self.is_finishing):
            self._inbox.append(data)
            self._inbox_bytes += len(data)
            self._work()

    def feed_end(self) -> None:
        """The source has ended in good order."""
        self._inbox.append(Mark.END)
        self._work()

    def feed_abort(self) -> None:
        """The source was reset: so is the sink, after what is on its way; what had no time to begin it is lost."""
        self._inbox.clear()
        self._inbox_bytes = 0
        self._give_up()
        # After an end too: who has ended, and then is gone, takes no answer any more.
        self._line.push(_clock(), Mark.ABORT)
        self.has_ended = True
        self._work()

    # Toxics

    def put_on(self, stage: Stage) -> None:
        """One more toxic, behind those that are there."""
        self.is_fast = False
        self._starts.append(stage)
        self._work()

    def take_off(self, stages: Iterable[Stage]) -> None:
        """Toxics are no more, all at once: what they held back goes on."""
        for stage in stages:
            if stage in self._starts:
                self._starts.remove(stage)
            self._course.take_off(stage)
        self._line.refresh()
        self._work()

    # What the toxics say

    def arrive(self, came: float, item: bytes | Mark, delays: Delays, by: str) -> None:
        """Something is through the toxics."""
        if not self.has_ended:
            self._line.push(came, item, delays, by)
            self.has_ended = isinstance(item, Mark)

    def abort_in(self, seconds: float, stage: Stage) -> None:
        """The connection is to be reset, unless the toxic is taken off before."""
        if not stage.is_off:
            stage.alarms.append(self._loop.call_later(seconds, self._ends.reset, stage.name))

    def wait_for(self, result: Awaitable[object], stage: Stage) -> None:
        """A toxic awaits something, in a task."""

        async def awaited() -> object:
            return await result

        # A coroutine is run as it is: cancelled before its first step, it would else be one that nobody awaited.
        work = cast("Coroutine[Any, Any, object]", result) if asyncio.iscoroutine(result) else awaited()

        def done(task: "asyncio.Task[object]") -> None:
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if task is not self._waiting:  # given up by us, and so cancelled
                if error is not None and not task.cancelled():
                    self._ends.toxic_failed(stage, error)
                return
            self._waiting = None
            self._is_working = True
            try:
                if error is None:
                    self._course.resume(task.result(), _clock())
                else:
                    self._course.fail(error)
            finally:
                self._is_working = False
            self._work()

        self._waiting = self._ends.spawn(work, f"toxic {stage.name}")
        self._waiting.add_done_callback(done)

    def _give_up(self) -> None:
        """Nothing is awaited any more, and nothing comes of it."""
        self._course.clear()
        task, self._waiting = self._waiting, None
        if task is not None:
            task.cancel()

    def note(self, stage: Stage, text: str) -> None:
        """A line for the log."""
        self._ends.note("fault", self.direction, stage.name, text)

    def fail(self, stage: Stage, error: BaseException) -> None:
        """A toxic raised."""
        self._ends.toxic_failed(stage, error)

    def lose(self, stage: Stage) -> None:
        """A toxic has dropped bytes after it was taken off: what comes now is not the stream that was sent."""
        self._ends.lost_bytes(stage)

    # What goes

    def _work(self) -> None:
        """Does what can be done now."""
        if self._sink is None or self._is_working:
            return
        self._is_working = True
        try:
            while self._step():
                pass
            if not self.is_finishing:
                self._release()
            if self.is_finishing and not self._course.is_waiting:
                self._finish()
        finally:
            self._is_working = False
        self._settle()

    def _step(self) -> bool:
        """Sends the next thing on its way; whether there was one that may go."""
        course = self._course
        if course.is_waiting:
            return False
        if self._starts:
            course.begin(self._starts.popleft(), _clock())
            return True
        if not self._inbox or (self._is_paused() and not self.is_finishing):
            return False
        entry = self._inbox.popleft()
        if isinstance(entry, bytes):
            self._inbox_bytes -= len(entry)
        if not self.has_ended:
            course.send(entry, _clock())
        return True

    def _is_paused(self) -> bool:
        return any(stage.paused_until and stage.paused_until > _clock() for stage in self._course.stages)

    def _release(self) -> None:
        line = self._line
        if not line:
            return
        now = _clock()
        while line and not self.is_blocked and line.due <= now and self._sink is not None:
            item, by = line.pop()
            if isinstance(item, bytes):
                self.passed += len(item)
                self._sink.write(item)
            elif item is Mark.ABORT:
                self._ends.reset(by, self.direction)
            elif item is Mark.CLOSE:
                self._ends.close_orderly(by, self.direction)
            else:
                self._ends.direction_ended(self.direction, by)
        if line.abort_due is not None and line.abort_due <= now:
            self._ends.reset(line.abort_by, self.direction)

    def end_sink(self) -> bool:
        """Tells the sink's peer that nothing more comes; False where that cannot be told in one direction alone."""
        if self._sink is None or not self._sink.can_write_eof():
            return False
        with suppress(OSError):  # reset by its peer, which the loop will tell in its next round
            self._sink.write_eof()
        return True

    def finish(self) -> None:
        """Writes all that is held, due or not; `Ends.drained` is told when that is done.

        It is done at once, but for what a toxic awaits. What comes later is read, so that its sender can go on, and
        lost.
        """
        self.is_finishing = True
        self.is_fast = False
        self._work()

    def _finish(self) -> None:
        if self.has_finished:
            return
        self.has_finished = self.has_ended = True
        while self._line and self._sink is not None:
            item, _ = self._line.pop()
            if isinstance(item, bytes):
                self.passed += len(item)
                self._sink.write(item)
        self._forget()
        self._read(on=True)
        self._ends.drained(self.direction)

    def close(self) -> None:
        """Lets go of everything."""
        self.has_finished = self.has_ended = True
        self.is_fast = False
        self._sink = self._source = self.write = None
        self._forget()

    def _forget(self) -> None:
        for stage in self._course.stages:
            stage.silence()
        self._course.stages = ()
        self._starts.clear()
        self._line.clear()
        self._inbox.clear()
        self._inbox_bytes = 0
        self._give_up()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Reading, the timer, the fast path

    def blocked(self) -> None:
        """The sink's buffer is full."""
        self.is_blocked = True
        self._settle()

    def unblocked(self) -> None:
        """The sink takes more."""
        self.is_blocked = False
        self._work()

    def _settle(self) -> None:
        """Decides what follows from what is held: whether to read, when to look again, and whether all is simple."""
        if self._sink is None or self._is_working or self.has_finished:
            return
        now = _clock()
        stages = self._course.stages
        pause = max((stage.paused_until for stage in stages), default=0.0)
        is_idle = not (self._line or self._inbox or self._starts or self._course.is_waiting)
        self.is_fast = is_idle and not stages and not self.has_ended
        if self.is_fast:
            self._read(on=not self.is_blocked)
        else:
            room = self.window - self.held
            enough = 1 if self._is_reading else min(_STEP, self.window // 2)
            self._read(on=room >= enough and pause <= now)
        self._set_timer(now, pause)

    def _read(self, *, on: bool) -> None:
        source = self._source
        if on is not self._is_reading and source is not None and not source.is_closing():
            self._is_reading = on
            if on:
                source.resume_reading()
            else:
                source.pause_reading()

    def _set_timer(self, now: float, pause: float) -> None:
        times = [pause] if now < pause < float("inf") else []
        if self._line and not self.is_blocked:
            times.append(self._line.due)
        if self._line.abort_due is not None:
            times.append(self._line.abort_due)
        at = min(times, default=0.0)
        if self._timer is not None:
            if self._timer_at == at:
                return
            self._timer.cancel()
            self._timer = None
        if times:
            self._timer_at = at
            # Not less than a millisecond: loops count timers in those, and one that rings early is set again.
            self._timer = self._loop.call_later(max(at - now, 0.001), self._rings)

    def _rings(self) -> None:
        self._timer = None
        self._work()
