"""The toxics of one direction, in order. Data passes through them, and their effects are carried out.

Does not know time, sockets or tasks: times are passed in, and the pipe carries out effects (`Outlet`).

Invariants:
1. Depth first: whatever a toxic sends passes through all later toxics before the toxic is asked for more. This keeps
   the order.
2. A chunk passes through the toxics that were applied when it started, except those removed before it reaches them.
3. While a toxic awaits something, nothing moves. `resume` continues from there.
4. An error in a toxic is reported once and drops the chunk. That includes outcomes such as that of `pytest.fail`, which
   isn't an `Exception`.
5. It is not reentrant: if the suite's own code in a toxic changes the proxy, the pipe makes the change afterwards. The
   exception is a reset, which takes effect at once: no further toxic is called.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Protocol, final

from looprig.net.tcp.line import Delays, Mark, Stage, time_of
from looprig.toxics.checked import as_bytes, effects_of
from looprig.toxics.effects import Abort, Await, Close, Drop, Effect, End, Note, Pause, Send

__all__ = ["Chain", "Outlet"]


class Outlet(Protocol):
    """The part of a pipe that its chain uses."""

    has_ended: bool
    """Whether everything that arrives from now on is dropped, so that no toxic is called any more."""

    def arrive(self, came: float, item: bytes | Mark, delays: Delays, by: str) -> None:
        """Accept data that has passed all toxics and arrived at `came`, or a mark, which the toxic `by` made."""

    def abort_in(self, seconds: float, stage: Stage) -> None:
        """Reset the connection after `seconds`."""

    def wait_for(self, result: Awaitable[object], stage: Stage) -> None:
        """Await this, then call `resume` with the result or `fail` with the exception."""

    def note(self, stage: Stage, text: str) -> None:
        """Log what a toxic did."""

    def fail(self, stage: Stage, error: BaseException) -> None:
        """Report that a toxic raised."""

    def lose(self, stage: Stage) -> None:
        """Handle bytes that a toxic dropped after it was removed."""


@final
class _Done:
    """A placeholder for the end of a toxic's effects."""


_DONE: Final = _Done()


@final
class _Question:
    """The effects that one toxic yields for one input. They are requested one at a time."""

    __slots__ = ("by", "came", "delays", "effects", "index", "item", "stages")

    def __init__(self, stages: tuple[Stage, ...], index: int, came: float, delays: Delays) -> None:
        self.by = stages[index].name  # the toxic that caused the end, if one did
        self.came = came
        self.delays = delays
        self.effects: Iterator[Effect] = iter(())
        self.index = index
        self.item: bytes | Mark | None = None
        self.stages = stages

    @property
    def length(self) -> int:
        return len(self.item) if isinstance(self.item, bytes) else 0

    @property
    def stage(self) -> Stage:
        return self.stages[self.index]


@final
class Chain:
    """The toxics of one direction, in their order."""

    __slots__ = ("_asked", "_now", "_outlet", "is_waiting", "stages")

    def __init__(self, outlet: Outlet) -> None:
        self._asked: list[_Question] = []
        self._now = 0.0
        self._outlet = outlet
        self.is_waiting: bool = False
        """Whether a toxic awaits something. If so, nothing may be passed in."""
        self.stages: tuple[Stage, ...] = ()

    @property
    def held(self) -> int:
        """The number of bytes in the chunk whose toxic awaits something."""
        return self._asked[0].length if self.is_waiting and self._asked else 0

    # The toxics

    def take_off(self, stage: Stage) -> None:
        """Remove a toxic. Those behind it continue as if it had held nothing back."""
        stage.take_off()
        stages = self.stages
        if stage in stages:
            for later in stages[stages.index(stage) + 1 :]:
                later.go_on_without(stage)
            self.stages = tuple(other for other in stages if other is not stage)

    # Input; `now` is the time

    def send(self, item: bytes | Mark, now: float) -> None:
        """Pass bytes, or the end of the direction, through the toxics."""
        self._now = now
        self._pass(self.stages, 0, now, item, (), "")
        self._run()

    def begin(self, stage: Stage, now: float) -> None:
        """Add a toxic behind the others. It may have an effect at once."""
        self._now = now
        self.stages += (stage,)
        question = _Question(self.stages, len(self.stages) - 1, now, ())
        stage.flow.now = now
        self._ask(question, lambda: stage.toxic.on_start(stage.flow))
        self._run()

    def resume(self, data: object, now: float) -> None:
        """Continue with the awaited bytes."""
        self.is_waiting = False
        if not self._asked:
            return
        self._now = now
        for question in self._asked:  # the rest of the same chunk has been waiting too
            question.came += max(0.0, now - time_of(question.came, question.delays))
        question = self._asked[-1]
        try:
            sent = as_bytes(data, question.stage.name)
        except TypeError as error:
            self._fail(question.stage, error)
            return
        if sent:
            self._go_on(question, sent, 0.0)
        self._run()

    def fail(self, error: BaseException) -> None:
        """Report that the awaited operation raised."""
        self.is_waiting = False
        if self._asked:
            self._fail(self._asked[-1].stage, error)

    def clear(self) -> None:
        """Drop everything in progress."""
        self.is_waiting = False
        self._asked.clear()

    # Asking

    def _pass(  # noqa: PLR0917 - the state of one item
        self, stages: tuple[Stage, ...], index: int, came: float, item: bytes | Mark, delays: Delays, by: str
    ) -> None:
        """Pass an item to the toxic at `index`, or to the outlet after the last toxic."""
        while index < len(stages) and stages[index].is_off:
            index += 1
        if index == len(stages):
            self._outlet.arrive(came, item, delays, by)
            return
        stage = stages[index]
        flow, toxic = stage.flow, stage.toxic
        question = _Question(stages, index, came, stage.receive(came, delays))
        question.item = item
        if isinstance(item, bytes):
            self._ask(question, lambda: toxic.on_data(item, flow))
        else:
            question.by = by
            self._ask(question, lambda: toxic.on_eof(flow))

    def _ask(self, question: _Question, ask: Callable[[], Iterable[Effect]]) -> None:
        try:
            question.effects = effects_of(ask(), question.stage.name)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a toxic may be the suite's own, and its errors fail the test
            self._fail(question.stage, error)
        else:
            self._asked.append(question)

    def _run(self) -> None:
        while self._asked and not self.is_waiting:
            if self._outlet.has_ended:
                self._asked.clear()
                return
            question = self._asked[-1]
            stage = question.stage
            try:
                effect = _checked(next(question.effects, _DONE), stage)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - see `_ask`
                self._fail(stage, error)
                return
            if not self._asked or self._asked[-1] is not question:
                return  # the toxic has ended its own connection
            if isinstance(effect, _Done):
                self._asked.pop()
                stage.flow.seen += question.length
            elif isinstance(effect, Send | End):
                self._send(effect, question, stage)
            else:
                self._carry_out(effect, question, stage)

    def _send(self, effect: Send | End, question: _Question, stage: Stage) -> None:
        sent = Mark.END if isinstance(effect, End) else effect.data
        if effect.after > 0 or sent != question.item:
            stage.act()
        if sent:
            self._go_on(question, sent, effect.after)

    def _go_on(self, question: _Question, item: bytes | Mark, after: float) -> None:
        delays = (*question.delays, (question.stage, after)) if after > 0 else question.delays
        by = question.by if item is Mark.END else ""
        self._pass(question.stages, question.index + 1, question.came, item, delays, by)

    def _carry_out(
        self, effect: Abort | Close | Pause | Drop | Await | Note, question: _Question, stage: Stage
    ) -> None:
        if not isinstance(effect, Abort):  # the reset itself is another event, which may happen much later
            stage.act()
        match effect:
            case Abort(after):
                if after is None:
                    self._outlet.arrive(question.came, Mark.ABORT, question.delays, stage.name)
                else:
                    self._outlet.abort_in(after, stage)
            case Close():
                self._outlet.arrive(question.came, Mark.CLOSE, question.delays, stage.name)
            case Pause(seconds):
                stage.paused_until = max(stage.paused_until, self._now + seconds)
            case Drop():
                stage.has_dropped = True
                if stage.is_off:
                    self._outlet.lose(stage)
            case Note(text):
                self._outlet.note(stage, text)
            case Await(result):
                self.is_waiting = True
                self._outlet.wait_for(result, stage)

    def _fail(self, stage: Stage, error: BaseException) -> None:
        self._asked.clear()
        self._outlet.fail(stage, error)


def _checked(effect: object, stage: Stage) -> Effect | _Done:
    """Return an effect after checking its type, since a suite's toxics may not be type-checked."""
    match effect:
        case Send(data, after):
            return effect if type(data) is bytes else Send(as_bytes(data, stage.name), after)
        case _Done() | End() | Abort() | Close() | Pause() | Drop() | Await() | Note():
            return effect
        case _:
            raise TypeError(
                f"{stage.name} yielded {effect!r}, which isn't an effect: to send bytes on, yield Send(...)"
            )
