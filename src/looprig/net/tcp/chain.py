"""The toxics of one direction in their order: data passes through them, and their effects are carried out.

Does not know time, sockets or tasks: times are passed in, and the pipe does what has to be done (`Outlet`).

Invariants:
1. Depth first: what one toxic sends passes all the others before that toxic is asked for more. This keeps order.
2. A chunk passes through the toxics that were on when it started, as long as they are still on when it reaches them.
3. While something is awaited nothing moves; `resume` goes on from there.
4. An error in a toxic is reported once and drops the chunk. That includes outcomes such as that of `pytest.fail`, which
   isn't an `Exception`.
5. It is not reentrant: what the suite's own code in a toxic does to the proxy is done afterwards (the pipe sees to
   that), except for a reset, after which no toxic is asked any more.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Protocol, final

from looprig.net.tcp.line import Delays, Mark, Stage, time_of
from looprig.toxics.checked import as_bytes, effects_of
from looprig.toxics.effects import Abort, Await, Close, Drop, Effect, End, Note, Pause, Send

__all__ = ["Chain", "Outlet"]


class Outlet(Protocol):
    """The pipe, as its chain sees it."""

    has_ended: bool
    """Whether what arrives is dropped from now on: then no toxic is asked any more."""

    def arrive(self, came: float, item: bytes | Mark, delays: Delays, by: str) -> None:
        """Take what has passed all toxics. It arrived at `came`. If it is a mark, `by` is the toxic that made it."""

    def abort_in(self, seconds: float, stage: Stage) -> None:
        """Reset the connection after `seconds`."""

    def wait_for(self, result: Awaitable[object], stage: Stage) -> None:
        """Call `resume` with what this returns, or `fail` with what it raises."""

    def note(self, stage: Stage, text: str) -> None:
        """Log what a toxic did."""

    def fail(self, stage: Stage, error: BaseException) -> None:
        """Report that a toxic raised."""

    def lose(self, stage: Stage) -> None:
        """Deal with bytes that a toxic dropped after it was taken off."""


@final
class _Done:
    """A placeholder for the end of a toxic's effects."""


_DONE: Final = _Done()


@final
class _Question:
    """The effects that one toxic yields for one input. They are requested one at a time."""

    __slots__ = ("by", "came", "delays", "effects", "index", "item", "stages")

    def __init__(self, stages: tuple[Stage, ...], index: int, came: float, delays: Delays) -> None:
        self.by = stages[index].name  # which toxic makes an end, if it makes one
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
        """Whether a toxic awaits something: then nothing may be passed in."""
        self.stages: tuple[Stage, ...] = ()

    @property
    def held(self) -> int:
        """The bytes of the chunk for which something is awaited."""
        return self._asked[0].length if self.is_waiting and self._asked else 0

    # The toxics

    def take_off(self, stage: Stage) -> None:
        """Take a toxic off: those behind it go on as if it had held nothing back."""
        stage.take_off()
        stages = self.stages
        if stage in stages:
            for later in stages[stages.index(stage) + 1 :]:
                later.go_on_without(stage)
            self.stages = tuple(other for other in stages if other is not stage)

    # What comes; `now` is the time

    def send(self, item: bytes | Mark, now: float) -> None:
        """Pass bytes, or the end of the direction, through the toxics."""
        self._now = now
        self._pass(self.stages, 0, now, item, (), "")
        self._run()

    def begin(self, stage: Stage, now: float) -> None:
        """Add a toxic behind the others. It may do something at once."""
        self._now = now
        self.stages += (stage,)
        question = _Question(self.stages, len(self.stages) - 1, now, ())
        stage.flow.now = now
        self._ask(question, lambda: stage.toxic.on_start(stage.flow))
        self._run()

    def resume(self, data: object, now: float) -> None:
        """Go on with the bytes that were awaited."""
        self.is_waiting = False
        if not self._asked:
            return
        self._now = now
        for question in self._asked:  # the rest of the same chunk has waited as well
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
        """Report that what was awaited raised."""
        self.is_waiting = False
        if self._asked:
            self._fail(self._asked[-1].stage, error)

    def clear(self) -> None:
        """Forget what is under way."""
        self.is_waiting = False
        self._asked.clear()

    # Asking

    def _pass(  # noqa: PLR0917 - the state of one thing on its way
        self, stages: tuple[Stage, ...], index: int, came: float, item: bytes | Mark, delays: Delays, by: str
    ) -> None:
        """Pass something to the toxic at `index`, or to the outlet if it has passed all of them."""
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
        except BaseException as error:  # noqa: BLE001 - a toxic may be the suite's own: the test has to see it
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
                return  # it has ended its own connection
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
        if not isinstance(effect, Abort):  # the reset itself is an event, which may be long after this
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
    """Return an effect after checking it at run time: a suite's toxics may not be type-checked."""
    match effect:
        case Send(data, after):
            return effect if type(data) is bytes else Send(as_bytes(data, stage.name), after)
        case _Done() | End() | Abort() | Close() | Pause() | Drop() | Await() | Note():
            return effect
        case _:
            raise TypeError(
                f"{stage.name} yielded {effect!r}, which isn't an effect: to send bytes on, yield Send(...)"
            )
