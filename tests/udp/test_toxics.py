"""The effects of each toxic on datagrams, and its notes."""

import time

import pytest

from looprig import DeclarationError
from looprig.toxics.udp import Corrupt, Duplication, Latency, Loss, Reordering, Toxic
from tests.udp.conftest import Run
from tests.udp.peers import MANY, chosen, numbered, proxied, without

LARGEST = 65_507


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_without_a_toxic_all_passes_in_order_both_ways(run: Run, host: str) -> None:
    """Empty datagrams pass, and so do the largest possible ones."""
    sent = [b"", *numbered(), b"x" * LARGEST, b""]

    async def scenario() -> None:
        async with proxied(echoes=True, host=host) as (proxy, service, client):
            client.send(*sent)
            assert await client.has(len(sent)) == sent
            assert service.received == sent
            assert set(client.senders) == {client.socket.getpeername()}
            (connection,) = proxy.connections
            assert (connection.sent_upstream, connection.sent_downstream) == (len(sent), len(sent))
            assert connection.held == 0

    run(scenario())


def test_loss_loses_some_and_tells_which(run: Run) -> None:
    sent = numbered()

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            with proxy.apply(Loss(0.3)):
                client.send(*sent)
            client.send(b"end")
            lost = chosen(0.3, "Loss")
            assert 20 < len(lost) < 70
            assert await service.has_met(b"end") == without(sent, lost)
            assert [fault for fault in proxy.faults(0) if " fault " in fault] == [
                f"upstream fault Loss lost datagram {number}" for number in lost
            ]

    run(scenario())


def test_duplication_doubles_some_and_tells_which(run: Run) -> None:
    sent = numbered()

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            with proxy.apply(Duplication(0.3, direction="upstream")):
                client.send(*sent)
            client.send(b"end")
            doubled = chosen(0.3, "Duplication")
            expected = [data for number, data in enumerate(sent) for _ in range(1 + (number in doubled))]
            assert await service.has_met(b"end") == expected
            assert [fault for fault in proxy.faults(0) if " fault " in fault] == [
                f"upstream fault Duplication doubled datagram {number}" for number in doubled
            ]

    run(scenario())


def test_reordering_has_some_overtaken_and_tells_which(run: Run) -> None:
    sent = numbered()

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            held = chosen(0.3, "Reordering")
            with proxy.apply(Reordering(0.3, 60.0)):
                client.send(*sent)
                assert await service.has(MANY - len(held)) == without(sent, held)
                assert proxy.connections[0].held == len(held)
            assert (await service.has(MANY))[-len(held) :] == [sent[number] for number in held]
            assert f"upstream fault Reordering held back datagram {held[0]}" in proxy.faults(0)

    run(scenario())


def test_reordering_sends_what_it_held_back_after_the_delay(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Reordering(1.0, 0.05, direction="upstream")) as (_, service, client):
            began = time.monotonic()
            client.send(b"one")
            await service.has(1)
            assert time.monotonic() - began >= 0.05

    run(scenario())


def test_corruption_flips_the_bits_that_it_tells(run: Run) -> None:
    sent = [bytes(range(200)), b"", bytes(200)]

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            with proxy.apply(Corrupt(0.01)):
                client.send(*sent)
            client.send(b"end")
            received = await service.has_met(b"end")
            told = [
                f"upstream fault Corrupt flipped bit {bit} of byte {byte} of datagram {number}"
                for number, (before, after) in enumerate(zip(sent, received, strict=True))
                for byte, (old, new) in enumerate(zip(before, after, strict=True))
                for bit in range(8)
                if (old ^ new) >> bit & 1
            ]
            assert 10 < len(told) < 60
            assert [fault for fault in proxy.faults(0) if " fault " in fault] == told

    run(scenario())


@pytest.mark.parametrize(("rate", "expected"), [(1.0, bytes([255] * 50)), (0.0, bytes(50)), (5e-324, bytes(50))])
def test_corruption_at_its_ends_flips_all_or_nothing(run: Run, rate: float, expected: bytes) -> None:
    async def scenario() -> None:
        async with proxied(Corrupt(rate)) as (_, service, client):
            client.send(bytes(50))
            assert await service.has(1) == [expected]

    run(scenario())


def test_the_log_has_the_first_100_faults_of_a_direction(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Loss(1.0)) as (proxy, _, client):
            client.send(*numbered())
            with proxy.apply():  # datagrams are read from now on
                pass
            *_, last, end = [fault for fault in proxy.faults(0) if " fault " in fault]
            assert last == "upstream fault Loss lost datagram 98"
            assert end == "upstream fault Loss lost datagram 99; further ones are not listed"

    run(scenario())


def test_delay_holds_each_back_by_as_much_and_keeps_the_order(run: Run) -> None:
    sent = numbered()

    async def scenario() -> None:
        async with proxied(Latency(0.05), echoes=True) as (_, _, client):
            began = time.monotonic()
            client.send(*sent)
            await client.has(1)
            assert time.monotonic() - began >= 0.1  # there and back
            assert await client.has(MANY) == sent

    run(scenario())


def test_with_jitter_datagrams_overtake_one_another_and_none_is_lost(run: Run) -> None:
    sent = numbered()

    async def scenario() -> None:
        async with proxied(Latency(0.05, jitter=0.05)) as (_, service, client):
            client.send(*sent)
            received = await service.has(MANY)
            assert received != sent
            assert sorted(received) == sorted(sent)

    run(scenario())


def test_each_copy_of_a_datagram_is_delayed_by_itself(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Duplication(1.0), Latency(0.02, jitter=0.02)) as (_, service, client):
            client.send(*numbered(20))
            received = await service.has(40)
            assert sorted(received) == sorted(numbered(20) * 2)
            assert any(one != other for one, other in zip(received[::2], received[1::2], strict=True))

    run(scenario())


def test_a_direction_has_the_fault_alone(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Loss(1.0, direction="downstream"), echoes=True) as (proxy, service, client):
            client.send(*numbered())
            assert await service.has(MANY) == numbered()
            with proxy.apply():
                pass
            assert client.received == []
            assert proxy.connections[0].sent_downstream == 0

    run(scenario())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Loss(1.5), "Loss was given rate=1.5."),
        (lambda: Duplication(-0.1), "Duplication was given rate=-0.1."),
        (
            lambda: Reordering(2, -1),
            "Reordering was given rate=2 and delay=-1.",
        ),
        (lambda: Corrupt(float("nan")), "Corrupt was given bit_rate=nan."),
        (
            lambda: Latency(-1.0, jitter=-2.0),
            "Latency was given delay=-1.0 and jitter=-2.0.",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused_where_they_are_written(make: object, told: str) -> None:
    assert callable(make)
    with pytest.raises(DeclarationError) as caught:
        make()
    assert told in str(caught.value)
    assert "test_toxics.py" in str(caught.value)


def test_a_toxic_that_says_nothing_of_its_own_lets_all_pass(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Toxic(), echoes=True) as (_, _, client):
            client.send(b"as it came")
            assert await client.has(1) == [b"as it came"]

    run(scenario())
