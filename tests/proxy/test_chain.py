"""Toxics and delay line by themselves: each delay belongs to a toxic, and is removed with it."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from looprig.net.tcp.chain import Chain
from looprig.net.tcp.line import DelayLine, Delays, Mark, Stage
from looprig.toxics import Bandwidth, Effect, Latency, Send, Slice, Toxic, Transform
from looprig.toxics.flow import Flow
from looprig.toxics.rule import ConnectionInfo


@dataclass
class Line:
    """A direction without sockets: a chain that ends in a delay line."""

    line: DelayLine = field(default_factory=DelayLine)
    has_ended: bool = False

    def __post_init__(self) -> None:
        self.chain = Chain(self)

    def arrive(self, came: float, item: bytes | Mark, delays: Delays, by: str) -> None:
        self.line.push(came, item, delays, by)

    def abort_in(self, seconds: float, stage: Stage) -> None:
        raise AssertionError

    def wait_for(self, result: Awaitable[object], stage: Stage) -> None:
        cast("Coroutine[Any, Any, object]", result).close()  # the test resumes

    def note(self, stage: Stage, text: str) -> None: ...

    def fail(self, stage: Stage, error: BaseException) -> None:
        raise error

    def lose(self, stage: Stage) -> None:
        raise AssertionError

    def put_on(self, toxic: Toxic, now: float) -> Stage:
        flow = Flow(ConnectionInfo(0, ""), "upstream", Random(len(self.chain.stages)))
        stage = Stage(toxic, flow, type(toxic).__name__, lambda: None)
        self.chain.begin(stage, now)
        return stage

    def take_off(self, stage: Stage) -> None:
        self.chain.take_off(stage)
        self.line.refresh()

    def leaving(self) -> list[tuple[float, bytes]]:
        """Return what is held, with the times at which it can leave: never before what precedes it."""
        left: list[tuple[float, bytes]] = []
        latest = 0.0
        while self.line:
            latest = max(latest, self.line.due)
            item, _ = self.line.pop()
            assert isinstance(item, bytes)
            left.append((latest, item))
        return left


def close_to(value: float, expected: float) -> bool:
    return abs(value - expected) < 1e-6


def test_a_later_toxic_does_not_keep_the_time_of_an_earlier_one_that_is_off() -> None:
    line = Line()
    slow = line.put_on(Latency(1.0), 0.0)
    line.put_on(Slice(1000), 0.0)
    line.chain.send(b"a", 0.0)
    line.take_off(slow)
    line.chain.send(b"b", 0.1)
    assert line.leaving() == [(0.0, b"a"), (0.1, b"b")]


def test_what_has_to_wait_for_what_is_before_it_waits_for_the_same_toxic() -> None:
    line = Line()
    fickle = line.put_on(Latency(1.0, jitter=1.0), 0.0)
    line.put_on(Slice(1000), 0.0)
    for number in range(10):
        line.chain.send(bytes([number]), number / 100)
    line.take_off(fickle)
    assert [time for time, _ in line.leaving()] == [number / 100 for number in range(10)]


def test_a_narrow_link_after_a_slow_one_keeps_its_pace_when_the_slow_one_is_off() -> None:
    line = Line()
    slow = line.put_on(Latency(1.0), 0.0)
    line.put_on(Bandwidth(100.0), 0.0)
    line.chain.send(b"a", 0.0)
    line.take_off(slow)
    line.chain.send(b"b", 0.005)
    first, second = (time for time, _ in line.leaving())
    assert close_to(first, 0.01)
    assert close_to(second, 0.02)


@dataclass(frozen=True, slots=True)
class Fickle(Toxic):
    """A toxic that delays each chunk by the next of some numbers."""

    seconds: tuple[float, ...] = ()

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data, self.seconds[flow.seen])


def times(line: Line) -> list[float]:
    return [round(time, 6) for time, _ in line.leaving()]


def test_a_narrow_link_keeps_its_pace_behind_one_that_is_late_with_one_chunk_and_not_with_the_next() -> None:
    for is_off in (False, True):
        line = Line()
        fickle = line.put_on(Fickle((1.0, 0.0)), 0.0)
        line.put_on(Bandwidth(100.0), 0.0)
        line.chain.send(b"a", 0.0)
        line.chain.send(b"b", 0.0)
        if is_off:
            line.take_off(fickle)
        assert times(line) == ([0.01, 0.02] if is_off else [1.01, 1.02])


def test_a_wait_is_never_blamed_on_a_toxic_that_is_off() -> None:
    line = Line()
    off = line.put_on(Latency(5.0), 0.0)
    line.put_on(Fickle((1.0, 0.0)), 0.0)
    line.put_on(Bandwidth(100.0), 0.0)
    line.chain.send(b"a", 0.0)
    line.take_off(off)
    line.chain.send(b"b", 0.0)
    assert times(line) == [1.01, 1.02]


def test_a_delay_of_a_toxic_that_went_while_something_was_awaited_is_gone() -> None:
    line = Line()
    slow = line.put_on(Latency(60.0), 0.0)
    line.put_on(Transform(lambda _: asyncio.sleep(0, b"made")), 0.0)
    line.chain.send(b"x", 0.0)
    assert line.chain.held == 1
    line.take_off(slow)
    line.chain.resume(b"made", 0.5)
    ((time, item),) = line.leaving()
    assert time <= 0.5
    assert item == b"made"


toxics = st.one_of(
    st.builds(Latency, st.floats(0, 5), st.floats(0, 3)),
    st.builds(Slice, st.integers(1, 3), st.integers(0, 2), st.floats(0, 1)),
    st.builds(Bandwidth, st.floats(1, 1000)),
)


@given(st.lists(toxics, max_size=4), st.lists(st.tuples(st.floats(0, 2), st.integers(0, 5)), max_size=30))
def test_with_all_toxics_off_nothing_is_held_and_all_is_there_in_order(
    on: list[Toxic], steps: list[tuple[float, int]]
) -> None:
    line = Line()
    stages = [line.put_on(toxic, 0.0) for toxic in on]
    now, sent = 0.0, b""
    for wait, choice in steps:
        now += wait
        if choice < len(stages):
            line.take_off(stages.pop(choice))
        chunk = b"%d;" % len(sent)
        sent += chunk
        line.chain.send(chunk, now)
    while stages:
        line.take_off(stages.pop())
    left = line.leaving()
    assert b"".join(item for _, item in left) == sent
    assert all(time <= now + 1e-6 for time, _ in left)


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(0.001, 2), st.integers(0, 5)), max_size=20),
)
def test_of_fixed_delays_each_chunk_has_those_that_are_still_on(
    delays: list[float], steps: list[tuple[float, int]]
) -> None:
    line = Line()
    on = [(delay, line.put_on(Latency(delay), 0.0)) for delay in delays]
    now = 0.0
    came: list[tuple[float, list[Stage]]] = []
    for wait, choice in steps:
        now += wait
        line.chain.send(b"x", now)
        came.append((now, [stage for _, stage in on]))
        if choice < len(on):
            line.take_off(on.pop(choice)[1])
    still = {stage: delay for delay, stage in on}
    expected: list[float] = []
    latest = 0.0
    for time, stages in came:
        latest = max(latest, time + sum(still.get(stage, 0.0) for stage in stages))
        expected.append(latest)
    assert all(close_to(time, due) for (time, _), due in zip(line.leaving(), expected, strict=True))


@dataclass(frozen=True, slots=True)
class Seen(Toxic):
    """A toxic that records what it sees, and passes it on."""

    seen: list[bytes] = field(default_factory=list[bytes])

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        self.seen.append(data)
        yield Send(data)


def test_a_toxic_is_not_told_of_nothing_that_came_of_something_awaited() -> None:
    line = Line()
    looking = Seen()
    line.put_on(Transform(lambda _: asyncio.sleep(0, b"")), 0.0)
    line.put_on(looking, 0.0)
    line.chain.send(b"x", 0.0)
    line.chain.resume(b"", 0.5)
    assert not line.chain.is_waiting
    line.chain.send(b"y", 1.0)
    line.chain.resume(b"made", 1.5)
    assert looking.seen == [b"made"]
    assert [item for _, item in line.leaving()] == [b"made"]


def test_a_narrow_link_keeps_its_pace_when_the_first_of_the_pieces_before_it_is_awaited() -> None:
    """By then the others have arrived, all at once, and have waited as long."""
    for first_takes in (0.0, 1.0):
        line = Line()
        line.put_on(Slice(1), 0.0)
        line.put_on(Transform(lambda piece: asyncio.sleep(0, piece) if piece == b"1" else piece), 0.0)
        line.put_on(Bandwidth(100.0), 0.0)
        line.chain.send(b"1234", 0.0)
        line.chain.resume(b"1", first_takes)
        assert times(line) == [round(first_takes + number / 100, 6) for number in (1, 2, 3, 4)]
