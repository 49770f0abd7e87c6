"""Random faults: the same for the same seed, independent for each toxic, and only where they should be."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from looprig import DeclarationError, TcpProxy
from looprig.toxics import (
    Bandwidth,
    ConnectionInfo,
    Corrupt,
    Effect,
    Flow,
    HalfClose,
    Latency,
    Limit,
    Note,
    Reset,
    Send,
    Slice,
    Toxic,
)
from looprig.toxics.rule import Direction
from tests.proxy.conftest import Run
from tests.proxy.peers import echoing, meet

MANY = 40


async def faults(*toxics: Toxic, seed: int, count: int = MANY) -> list[tuple[str, ...]]:
    """Return what toxics did to each of some connections, made one after the other."""
    async with echoing(*toxics, seed=seed) as proxy:
        for number in range(count):
            await meet(proxy.address, bytes(100 + number) * 20)
        await proxy.wait_connections(0)
        return [proxy.faults(number) for number in range(count)]


FAULTS = (
    Reset(after_bytes=700, probability=0.3),
    Corrupt(0.0005),
    Slice(100, variation=50),
    Limit(1500, probability=0.2, direction="downstream"),
    Latency(0.0005, jitter=0.0005),
)


def test_one_seed_twice_is_one_log_of_faults_for_each_connection(run: Run) -> None:
    async def scenario() -> None:
        once = await faults(*FAULTS, seed=11)
        assert once == await faults(*FAULTS, seed=11)
        assert once != await faults(*FAULTS, seed=12)
        assert len(set(once)) > 5

    run(scenario())


def test_another_toxic_changes_nothing_for_those_that_are_there(run: Run) -> None:
    async def scenario() -> None:
        reset = Reset(after_bytes=700, probability=0.3)
        alone = [any("Reset" in fault for fault in each) for each in await faults(reset, seed=5)]
        others = (Latency(0.0001, jitter=0.0001, probability=0.5), Slice(500, variation=100))
        beside = [any("Reset" in fault for fault in each) for each in await faults(*others, reset, seed=5)]
        assert alone == beside
        assert 0 < sum(alone) < MANY

    run(scenario())


def test_faults_do_not_depend_on_how_the_stream_is_cut(run: Run) -> None:
    """Flips beyond the byte at which the connection was reset don't count."""

    async def scenario() -> None:
        logs: list[tuple[str, ...]] = []
        for size in (100, 777, 10_000):
            toxics = (Corrupt(0.0002, direction="upstream"), Reset(after_bytes=3000, direction="upstream"))
            async with echoing(*toxics, seed=8) as proxy:
                _, writer = await asyncio.open_connection(*proxy.address)
                await proxy.wait_connections(1)
                for at in range(0, 10_000, size):
                    if not writer.is_closing():
                        writer.write(bytes(10_000)[at : at + size])
                    await asyncio.sleep(0.001)
                await proxy.wait_connections(0)
                writer.close()
                logs.append(proxy.faults(0))
        assert logs[0] == logs[1] == logs[2]
        assert 5 <= len(logs[0]) < 12
        assert logs[0][-1] == "upstream reset Reset"

    run(scenario())


def test_what_one_direction_had_come_to_when_the_other_was_reset_is_no_fault_of_the_seed(run: Run) -> None:
    async def scenario() -> None:
        toxics = (Corrupt(0.01, direction="downstream"), Reset(after_bytes=2000, direction="upstream"))
        async with echoing(*toxics, seed=8) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            writer.write(bytes(1000))
            await reader.readexactly(1000)
            writer.write(bytes(1000))
            await proxy.wait_connections(0)
            writer.close()
            assert any(event.kind == "fault" and event.direction == "downstream" for event in proxy.events)
            assert proxy.faults(0) == (
                "upstream toxic Reset is on",
                "downstream toxic Corrupt is on",
                "upstream reset Reset",
            )

    run(scenario())


def test_toxics_of_two_names_roll_by_themselves(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(seed=3) as proxy:
            writers = [(await asyncio.open_connection(*proxy.address))[1] for _ in range(MANY)]
            await proxy.wait_connections(MANY)
            with proxy.apply(Latency(0.0, probability=0.5, name="one")) as one:
                pass
            with proxy.apply(Latency(0.0, probability=0.5, name="other")) as other:
                pass
            assert one.struck != other.struck
            for writer in writers:
                writer.close()

    run(scenario())


def test_probability_is_rolled_once_for_each_connection(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(seed=3) as proxy:
            writers = [(await asyncio.open_connection(*proxy.address))[1] for _ in range(MANY)]
            await proxy.wait_connections(MANY)
            with proxy.apply(Latency(0.0, probability=0.5)) as once:
                pass
            with proxy.apply(Latency(0.0, probability=0.5)) as again:
                pass
            assert once.struck == again.struck
            assert MANY // 5 < len(once.struck) < MANY * 4 // 5
            for writer in writers:
                writer.close()

    run(scenario())


def test_when_and_first_choose_connections(run: Run) -> None:
    def is_even(connection: ConnectionInfo) -> bool:
        assert connection.client.startswith("127.0.0.1:")
        return connection.index % 2 == 0

    async def scenario() -> None:
        async with echoing() as proxy:
            early = [await asyncio.open_connection(*proxy.address) for _ in range(3)]
            await proxy.wait_connections(3)
            with proxy.apply(HalfClose(direction="downstream", when=is_even, first=3)) as applied:
                for _ in range(7):
                    await meet(proxy.address, b"x")
                assert applied.struck == (0, 2, 4)
            for _, writer in early:
                writer.close()

    run(scenario())


def test_a_direction_is_the_only_one_that_has_the_fault(run: Run) -> None:
    async def scenario() -> None:
        directions: tuple[Direction, ...] = ("upstream", "downstream", "both")
        for direction in directions:
            async with echoing(Corrupt(1.0, direction=direction)) as proxy:
                met = await meet(proxy.address, b"\x00\xff")
                assert met.data == (b"\x00\xff" if direction == "both" else b"\xff\x00")

    run(scenario())


def test_two_toxics_of_one_kind_have_names_of_their_own(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(Latency(0), Latency(0), Latency(0, name="far")) as proxy:
            await meet(proxy.address, b"x")
            assert proxy.faults(0)[:3] == ("toxic Latency is on", "toxic Latency 2 is on", "toxic far is on")

    run(scenario())


def test_a_toxic_of_ones_own_counts_what_it_saw(run: Run) -> None:
    @dataclass
    class Lines:
        count: int = 0

    @dataclass(frozen=True, slots=True)
    class Numbered(Toxic):
        """A toxic that puts a number before each line."""

        def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
            lines = flow.state(Lines)
            for line in data.splitlines(keepends=True):
                lines.count += 1
                yield Note(f"line {lines.count} after {flow.seen} bytes" if lines.count % 2 else "even")
                yield Send(b"%d %s" % (lines.count, line))

    async def scenario() -> None:
        async with echoing(Numbered(direction="upstream")) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"a\nb\n")
            assert [await reader.readline(), await reader.readline()] == [b"1 a\n", b"2 b\n"]
            writer.write(b"c\n")
            assert await reader.readline() == b"3 c\n"
            writer.close()
            assert proxy.faults(0)[1:] == (
                "upstream fault Numbered line 1 after 0 bytes",
                "upstream fault Numbered even",
                "upstream fault Numbered line 3 after 4 bytes",
            )

    run(scenario())


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Latency(-1), "Latency was given delay=-1."),
        (lambda: Latency(float("inf")), "Latency was given delay=inf."),
        (lambda: Latency(float("nan")), "Latency was given delay=nan."),
        (lambda: Slice(0), "Slice was given size=0."),
        (lambda: Bandwidth(0), "Bandwidth was given rate=0."),
        (lambda: Bandwidth(float("inf")), "Bandwidth was given rate=inf."),
        (lambda: Bandwidth(float("nan")), "Bandwidth was given rate=nan."),
        (lambda: Corrupt(2), "Corrupt was given bit_rate=2."),
        (lambda: Reset(probability=1.5), "Reset was given probability=1.5."),
        (lambda: Reset(direction="up"), "Reset was given direction='up'."),  # type: ignore[arg-type]
        (lambda: Reset(first=-1, after=-1), "Reset was given after=-1 and first=-1."),
    ],
)
def test_a_value_that_makes_no_sense_is_told_where_it_was_written(make: type[Toxic], complaint: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        make()
    assert str(raised.value).startswith(complaint)
    assert "test_seeds.py:" in str(raised.value)


def test_what_is_no_toxic_is_told(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            with (
                pytest.raises(
                    DeclarationError, match=r"Reset was passed to a proxy, but is a class.*\n.*\nWrite Reset\(\.\.\.\)"
                ),
                proxy.apply(Reset),  # type: ignore[arg-type]
            ):
                pass
        with pytest.raises(DeclarationError, match="3 was passed to a proxy, but isn't a toxic for TCP"):
            await TcpProxy(("127.0.0.1", 1), toxics=(3,)).__aenter__()  # type: ignore[arg-type]

    run(scenario())
