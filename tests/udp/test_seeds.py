"""Random faults depend only on the seed and the number of the datagram."""

import pytest

from looprig.toxics.udp import Corrupt, Duplication, Latency, Loss, Reordering, Toxic
from tests.udp.conftest import Run
from tests.udp.peers import MANY, SEED, Client, numbered, proxied

EVERYTHING = (Loss(0.2), Duplication(0.2), Reordering(0.2, 0.001), Corrupt(0.002), Latency(0.0, jitter=0.0001))


async def _faults(*toxics: Toxic, seed: int = SEED) -> tuple[str, ...]:
    """Return the fates of 150 datagrams and their answers."""
    async with proxied(*toxics, echoes=True, seed=seed) as (proxy, _, client):
        client.send(*numbered())
        with proxy.apply():
            pass
        return proxy.faults(0)


def _of(faults: tuple[str, ...], name: str) -> list[str]:
    return [fault for fault in faults if fault.startswith(f"upstream fault {name} ")]


def test_the_same_seed_and_the_same_datagrams_give_the_same_faults(run: Run) -> None:
    async def scenario() -> None:
        first = await _faults(*EVERYTHING)
        assert [fault for fault in first if fault.startswith("upstream")] == [
            fault for fault in await _faults(*EVERYTHING) if fault.startswith("upstream")
        ]
        assert all(_of(first, name) for name in ("Loss", "Duplication", "Reordering", "Corrupt"))
        assert _of(first, "Loss") != _of(await _faults(*EVERYTHING, seed=SEED + 1), "Loss")

    run(scenario())


@pytest.mark.parametrize("beside", [Duplication(0.5), Latency(0.0, jitter=0.01), Corrupt(0.01), Loss(0.0, name="x")])
def test_another_toxic_beside_changes_nothing_for_a_toxic(run: Run, beside: Toxic) -> None:
    async def scenario() -> None:
        alone = _of(await _faults(Loss(0.2)), "Loss")
        assert alone == _of(await _faults(Loss(0.2), beside), "Loss")
        # Behind one that doubles, the copies are met as well: those that are met alone are among them.
        assert set(alone) <= set(_of(await _faults(beside, Loss(0.2)), "Loss"))

    run(scenario())


def test_what_is_lost_before_it_changes_nothing_for_a_toxic(run: Run) -> None:
    async def scenario() -> None:
        alone = _of(await _faults(Corrupt(0.002)), "Corrupt")
        behind = _of(await _faults(Loss(0.5), Corrupt(0.002)), "Corrupt")
        assert 0 < len(behind) < len(alone)
        assert [fault for fault in alone if fault in behind] == behind

    run(scenario())


def test_when_a_toxic_is_put_on_changes_nothing_for_a_datagram(run: Run) -> None:
    async def scenario() -> None:
        from_the_first_on = _of(await _faults(Loss(0.2)), "Loss")
        async with proxied() as (proxy, _, client):
            client.send(*numbered()[:50])
            with proxy.apply(Loss(0.2)):
                client.send(*numbered()[50:])
            later = _of(proxy.faults(0), "Loss")
        assert later == [fault for fault in from_the_first_on if int(fault.split()[-1]) >= 50]

    run(scenario())


def test_each_direction_and_each_connection_has_random_numbers_of_its_own(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Reordering(0.3, 0.0), echoes=True) as (proxy, _, client):
            with Client(proxy.address) as other:
                client.send(*numbered())
                await client.has(MANY)
                other.send(*numbered())
                await other.has(MANY)
            rolled = {
                (index, direction): tuple(
                    fault.split()[-1] for fault in proxy.faults(index) if fault.startswith(f"{direction} fault")
                )
                for index in (0, 1)
                for direction in ("upstream", "downstream")
            }
            assert all(rolled.values())
            assert len(set(rolled.values())) == 4

    run(scenario())
