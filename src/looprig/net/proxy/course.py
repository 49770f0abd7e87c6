"""The way of one direction through its toxics: asks each what becomes of what comes, and carries that out.

Does not know time, sockets or tasks: the times are handed in, and what is to happen is told to the pipe (`Outlet`).

Invariants:
1. Depth first: what one toxic sends is through all the others before that toxic is asked for more. So order is kept.
2. A chunk goes the whole way with the toxics that were on when it began its way, and are still on when it comes to
   them.
3. While something is awaited nothing moves; `resume` goes on from there.
4. What a toxic raises is told once, and ends the way of the chunk: also what is no `Exception`, as `pytest.fail`.
5. It is not entered twice: what the suite's own code in a toxic does to the proxy is done after that (the pipe sees to
   it), but for a reset, after which nothing is asked any more.
"""

import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Final, Protocol, cast, final

from looprig.net.proxy.line import Delays, Mark, Stage, time_of
from looprig.toxics.checked import as_bytes, check_seconds
from looprig.toxics.effects import Abort, Await, Close, Drop, Effect, End, Note, Pause, Send

__all__ = ["Course", "Outlet"]


class Outlet(Protocol):
    """What the pipe does for its course."""

    has_ended: bool
    """Whether nothing that arrives goes on any more: then no toxic is asked further."""

    def arrive(self, came: float, item: bytes | Mark, delays: Delays, by: str) -> None:
        """Something is through that came at a time; `by` is the toxic that made a mark."""
        ...

    def abort_in(self, seconds: float, stage: Stage) -> None:
        """The connection is to be reset in so many seconds."""
        ...

    def wait_for(self, result: Awaitable[object], stage: Stage) -> None:
        """`resume` is to be called with what this gives, or `fail` with what it raises."""
        ...

    def note(self, stage: Stage, text: str) -> None:
        """For the log."""
        ...

    def fail(self, stage: Stage, error: BaseException) -> None:
        """A toxic raised."""
        ...

    def lose(self, stage: Stage) -> None:
        """A toxic has dropped bytes after it was taken off."""
        ...


@final
class _Done:
    """Stands for nothing more."""


_DONE: Final = _Done()


@final
class _Question:
    """What one toxic says of one thing that came, as far as it has been heard."""

    __slots__ = ("by", "came", "delays", "effects", "index", "length", "stages")

    def __init__(self, stages: tuple[Stage, ...], index: int, came: float, delays: Delays) -> None:
        self.by = stages[index].name  # who makes an end, if one is made
        self.came = came
        self.delays = delays
        self.effects: Iterator[Effect] = iter(())
        self.index = index
        self.length = 0
        self.stages = stages

    @property
    def stage(self) -> Stage:
        return self.stages[self.index]


@final
class Course:
    """The toxics of one direction, in their order."""

    __slots__ = ("_asked", "_now", "_outlet", "is_waiting", "stages")

    def __init__(self, outlet: Outlet) -> None:
        self._asked: list[_Question] = []
        self._now = 0.0
        self._outlet = outlet
        self.is_waiting: bool = False
        """Whether a toxic awaits something: then nothing may be sent in."""
        self.stages: tuple[Stage, ...] = ()

    @property
    def held(self) -> int:
        """Bytes of the chunk for which something is awaited."""
        return self._asked[0].length if self.is_waiting and self._asked else 0

    # The toxics

    def take_off(self, stage: Stage) -> None:
        """One is no more: those behind it go on as if what it held back had never been."""
        stage.take_off()
        stages = self.stages
        if stage in stages:
            for later in stages[stages.index(stage) + 1 :]:
                later.go_on_without(stage)
            self.stages = tuple(other for other in stages if other is not stage)

    # What comes; `now` is the time

    def send(self, item: bytes | Mark, now: float) -> None:
        """Bytes, or the end of the direction, begin their way."""
        self._now = now
        self._pass(self.stages, 0, now, item, (), "")
        self._run()

    def begin(self, stage: Stage, now: float) -> None:
        """One more toxic, behind those that are there. It may do something at once."""
        self._now = now
        self.stages += (stage,)
        question = _Question(self.stages, len(self.stages) - 1, now, ())
        stage.flow.now = now
        self._ask(question, lambda: stage.toxic.on_start(stage.flow))
        self._run()

    def resume(self, data: object, now: float) -> None:
        """What was awaited is there."""
        self.is_waiting = False
        if not self._asked:
            return
        self._now = now
        for question in self._asked:  # what is still to come of the same chunk has waited as well
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
        """What was awaited raised."""
        self.is_waiting = False
        if self._asked:
            self._fail(self._asked[-1].stage, error)

    def clear(self) -> None:
        """Forgets what is under way."""
        self.is_waiting = False
        self._asked.clear()

    # Asking

    def _pass(  # noqa: PLR0917 - the state of one thing on its way
        self, stages: tuple[Stage, ...], index: int, came: float, item: bytes | Mark, delays: Delays, by: str
    ) -> None:
        """Something has come as far as one toxic, or through all of them."""
        while index < len(stages) and stages[index].is_off:
            index += 1
        if index == len(stages):
            self._outlet.arrive(came, item, delays, by)
            return
        stage = stages[index]
        flow, toxic = stage.flow, stage.toxic
        question = _Question(stages, index, came, stage.receive(came, delays))
        if isinstance(item, bytes):
            question.length = len(item)
            self._ask(question, lambda: toxic.on_data(item, flow))
        else:
            question.by = by
            self._ask(question, lambda: toxic.on_eof(flow))

    def _ask(self, question: _Question, ask: Callable[[], Iterable[Effect]]) -> None:
        try:
            question.effects = _effects(ask(), question.stage)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a toxic may be the suite's own: the test is told
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
            except BaseException as error:  # noqa: BLE001 - as above
                self._fail(stage, error)
                return
            if not self._asked or self._asked[-1] is not question:
                return  # it has ended its own connection
            if isinstance(effect, _Done):
                self._asked.pop()
                stage.flow.seen += question.length
            elif isinstance(effect, Send | End):
                if isinstance(effect, End) or effect.data:
                    self._go_on(question, Mark.END if isinstance(effect, End) else effect.data, effect.after)
            else:
                self._carry_out(effect, question, stage)

    def _go_on(self, question: _Question, item: bytes | Mark, after: float) -> None:
        delays = (*question.delays, (question.stage, after)) if after > 0 else question.delays
        by = question.by if item is Mark.END else ""
        self._pass(question.stages, question.index + 1, question.came, item, delays, by)

    def _carry_out(
        self, effect: Abort | Close | Pause | Drop | Await | Note, question: _Question, stage: Stage
    ) -> None:
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


def _effects(said: object, stage: Stage) -> Iterator[Effect]:
    """What a toxic's method gave, which a suite may have written as another kind of function."""
    if isinstance(said, Coroutine):
        said.close()  # it is told now, and not a second time as one that nobody awaited
    if not isinstance(said, Iterable):
        raise TypeError(f"{stage.name} gave {said!r}: write its methods as generators, `yield Send(...)`")
    return iter(cast("Iterable[Effect]", said))


def _checked(effect: object, stage: Stage) -> Effect | _Done:
    """What a toxic says, whatever its types say."""
    match effect:
        case _Done() | Close() | Drop() | Await() | Note(text=str()) | Abort(after=None):
            return effect
        case Send(data, after):
            check_seconds(after, effect, stage.name)
            return effect if type(data) is bytes else Send(as_bytes(data, stage.name), after)
        case End(after) | Abort(after):
            check_seconds(after, effect, stage.name)
            return effect
        case Pause(seconds):
            check_seconds(0.0 if seconds == math.inf else seconds, effect, stage.name)
            return effect
        case _:
            raise TypeError(f"{stage.name} gave {effect!r}, which is no effect: to send bytes on, yield Send(...)")
