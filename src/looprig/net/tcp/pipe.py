"""One direction of a connection: data goes from one socket through the toxics into the other.

Does not open or close sockets: the connection does (`Ends`). Invariants:
1. Bytes leave in order of arrival. None is duplicated, and none is lost unless a toxic drops it or the connection ends.
2. At most `window` bytes are held, plus the excess of a single read.
3. There is one timer, and one delay line.
4. If no toxic is applied and nothing is held, data is written at once (`is_fast`).
5. It is not reentrant: if a toxic's own code changes it, the change is made when that code returns.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias, cast, final

from looprig.net.tcp.chain import Chain
from looprig.net.tcp.ends import Ends
from looprig.net.tcp.line import DelayLine, Delays, Mark, Stage
from looprig.runtime.clock import now as real_time
from looprig.toxics.flow import FlowDirection

__all__ = ["Pipe"]

_HIGH: Final = 1 << 18
"""Number of bytes in the buffer of a transport above which its source is held back."""

_RECORD: Final = 1 << 14
"""Size of a TLS record in bytes."""

_STEP: Final = 1 << 20
"""Number of free bytes in the window for which it is worth resuming to read."""

_clock: Final = real_time  # not the loop's clock, since uvloop's only advances once in each round


_Input: TypeAlias = bytes | Mark
"""An item that waits to pass through the toxics: bytes, or an end."""


@final
class Pipe:
    """A pipe from `source` to `sink`, once both exist."""

    __slots__ = (
        "_chain",
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
        self._chain = Chain(self)
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
        """Toxics that have to be started before anything else passes through."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self.direction: Final = direction
        self.has_ended: bool = False
        """Whether an end or a reset is in the line, or has left it, so that later data is dropped."""
        self.has_finished: bool = False
        """Whether its sink has all data that was held when `finish` was called."""
        self.is_blocked: bool = False
        """Whether the sink's buffer is full."""
        self.is_fast: bool = False
        self.is_finishing: bool = False
        self.passed: int = 0
        """Number of bytes written to the sink."""
        self.window: Final = window
        self.write: Any = None  # the sink's methods, kept for the fast path

    def open(self, source: asyncio.Transport, sink: asyncio.Transport) -> None:
        """Connect both sides. `start` may be called afterwards."""
        self._source, self._sink = source, sink
        self.write = sink.write
        high = min(_HIGH, self.window // 2)
        if sink.get_extra_info("ssl_object") is not None:
            high = max(high, _RECORD)  # below that, the TLS of asyncio and uvloop treats even an empty buffer as full
        sink.set_write_buffer_limits(high, high // 4)

    def is_held_back(self) -> None:
        """Record that its source is not being read. Once the pipe is open, it decides that itself."""
        self._is_reading = False

    def start(self) -> None:
        """Begin to carry data, unless the toxics of the other direction have ended the connection already."""
        self._work()

    @property
    def held(self) -> int:
        """Number of bytes that were read and are not in the sink's socket yet."""
        unsent = 0 if self._sink is None or self._sink.is_closing() else self._sink.get_write_buffer_size()
        return self._inbox_bytes + self._chain.held + self._line.size + unsent

    # Arriving

    def feed(self, data: bytes) -> None:
        """Handle bytes read from the source."""
        if self.is_fast:
            self.passed += len(data)
            self.write(data)
        elif not (self.has_ended or self.is_finishing):
            self._inbox.append(data)
            self._inbox_bytes += len(data)
            self._work()

    def feed_end(self) -> None:
        """Handle the graceful end of the source."""
        self._inbox.append(Mark.END)
        self._work()

    def feed_abort(self) -> None:
        """Reset the sink, as its source was reset, once the data in the line is due. Data before the line is lost."""
        self._inbox.clear()
        self._inbox_bytes = 0
        self._give_up()
        # Even after an end: a peer that ended its direction and is then gone can't receive a reply any more.
        self._line.push(_clock(), Mark.ABORT)
        self.has_ended = True
        self._work()

    # Toxics

    def put_on(self, stage: Stage) -> None:
        """Add a toxic behind the others."""
        self.is_fast = False
        self._starts.append(stage)
        self._work()

    def take_off(self, stages: Iterable[Stage]) -> None:
        """Remove toxics, all at once. Data that they held back is sent on."""
        for stage in stages:
            if stage in self._starts:
                self._starts.remove(stage)
            self._chain.take_off(stage)
        self._line.refresh()
        self._work()

    # Called for toxics (`chain.Outlet`)

    def arrive(self, came: float, item: bytes | Mark, delays: Delays, by: str) -> None:
        """Put an item in the delay line. It has passed all toxics."""
        if not self.has_ended:
            self._line.push(came, item, delays, by)
            self.has_ended = isinstance(item, Mark)

    def abort_in(self, seconds: float, stage: Stage) -> None:
        """Reset the connection after `seconds`, unless the toxic is removed first."""
        if not stage.is_off:
            stage.alarms.append(self._loop.call_later(seconds, self._ends.reset, stage.name))

    def wait_for(self, result: Awaitable[object], stage: Stage) -> None:
        """Await something for a toxic, in a task."""

        async def awaited() -> object:
            return await result

        # Don't wrap a coroutine in another: if that is cancelled before its first step, this one is never awaited.
        work = cast("Coroutine[Any, Any, object]", result) if asyncio.iscoroutine(result) else awaited()

        def done(task: "asyncio.Task[object]") -> None:
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if task is not self._waiting:  # cancelled by `_give_up`
                if error is not None and not task.cancelled():
                    self._ends.toxic_failed(stage, error)
                return
            self._waiting = None
            self._is_working = True
            try:
                if error is None:
                    self._chain.resume(task.result(), _clock())
                else:
                    self._chain.fail(error)
            finally:
                self._is_working = False
            self._work()

        self._waiting = self._ends.spawn(work, f"toxic {stage.name}")
        self._waiting.add_done_callback(done)

    def _give_up(self) -> None:
        """Cancel the operation that a toxic awaits, if any, and drop the chunk that is passing through the toxics."""
        self._chain.clear()
        task, self._waiting = self._waiting, None
        if task is not None:
            task.cancel()

    def note(self, stage: Stage, text: str) -> None:
        """Log what a toxic did."""
        self._ends.note("fault", self.direction, stage.name, text)

    def fail(self, stage: Stage, error: BaseException) -> None:
        """Report that a toxic raised."""
        self._ends.toxic_failed(stage, error)

    def lose(self, stage: Stage) -> None:
        """Report a gap in the stream, since a toxic dropped bytes after it was removed."""
        self._ends.lost_bytes(stage)

    # Carrying

    def _work(self) -> None:
        """Pass on everything that can be passed on now."""
        if self._sink is None or self._is_working:
            return
        self._is_working = True
        try:
            while self._step():
                pass
            if not self.is_finishing:
                self._release()
            if self.is_finishing and not self._chain.is_waiting:
                self._finish()
        finally:
            self._is_working = False
        self._settle()

    def _step(self) -> bool:
        """Pass the next item through the toxics. Return False if there is none, or if it has to wait."""
        chain = self._chain
        if chain.is_waiting:
            return False
        if self._starts:
            chain.begin(self._starts.popleft(), _clock())
            return True
        if not self._inbox or (self._is_paused() and not self.is_finishing):
            return False
        entry = self._inbox.popleft()
        if isinstance(entry, bytes):
            self._inbox_bytes -= len(entry)
        if not self.has_ended:
            chain.send(entry, _clock())
        return True

    def _is_paused(self) -> bool:
        return any(stage.paused_until and stage.paused_until > _clock() for stage in self._chain.stages)

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
        """End the sink's direction, or return False if it can't be ended alone."""
        if self._sink is None or not self._sink.can_write_eof():
            return False
        with suppress(OSError):  # the peer reset the connection, which the loop will report
            self._sink.write_eof()
        return True

    def finish(self) -> None:
        """Write all held data, due or not, then call `Ends.drained`.

        This happens at once, unless a toxic awaits something. Data that arrives later is dropped. It is still read, so
        that its sender can continue.
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
        """Drop everything that is held."""
        self.has_finished = self.has_ended = True
        self.is_fast = False
        self._sink = self._source = self.write = None
        self._forget()

    def _forget(self) -> None:
        for stage in self._chain.stages:
            stage.silence()
        self._chain.stages = ()
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
        """Record that the sink's buffer is full."""
        self.is_blocked = True
        self._settle()

    def unblocked(self) -> None:
        """Record that the sink's buffer has room again."""
        self.is_blocked = False
        self._work()

    def _settle(self) -> None:
        """Decide, from the held data, whether to read, when to work again, and whether to use the fast path."""
        if self._sink is None or self._is_working or self.has_finished:
            return
        now = _clock()
        stages = self._chain.stages
        pause = max((stage.paused_until for stage in stages), default=0.0)
        is_idle = not (self._line or self._inbox or self._starts or self._chain.is_waiting)
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
            # At least a millisecond, the resolution of loops' timers, since a timer that fires early has to be set
            # again.
            self._timer = self._loop.call_later(max(at - now, 0.001), self._rings)

    def _rings(self) -> None:
        self._timer = None
        self._work()
