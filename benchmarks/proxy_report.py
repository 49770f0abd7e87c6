"""The figures of proxies, computed from the seconds of rounds. Pure, like `report.py`, whose table shows them.

A ratio is relative to the speed of `direct` in the same round: 0.5 means that everything took twice as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from probe.job import Load, LoopName
from proxy_scenarios import Kind, ProxyScenario
from report import Figure

Rounds: TypeAlias = Mapping[str, tuple[Load, Sequence[float]]]
"""For each contender, its load, and the seconds that it took in each round."""

UNITS: Final[Mapping[Kind, str]] = {"of direct": "times", "over direct": "us", "rate": "MiB/s"}


def figures(scenario: ProxyScenario, loop: LoopName, rounds: Rounds) -> Iterator[Figure]:
    """Return the figure of each contender in this scenario, with the measured speed beside it."""
    # Targets, and the peers' figures from when they were set, are for asyncio's loop.
    has_target = loop == "asyncio"
    for name, (load, seconds) in rounds.items():
        if name != "direct":
            yield Figure(
                name,
                scenario.kind,
                UNITS[scenario.kind],
                _values(scenario, load, seconds, rounds),
                scenario.target if name == "looprig" and has_target else None,
                scenario.when_set.get(name) if has_target else None,
                at_least=scenario.kind != "over direct",
            )
        if load.kind == "echo":
            yield Figure(name, "a round trip", "us", tuple(map(load.each, seconds)))
        elif scenario.kind != "rate":
            yield Figure(name, "rate", "MiB/s", tuple(map(load.rate, seconds)))


def _values(scenario: ProxyScenario, load: Load, seconds: Sequence[float], rounds: Rounds) -> tuple[float, ...]:
    if scenario.kind == "rate":
        return tuple(map(load.rate, seconds))
    pairs = list(zip(seconds, rounds["direct"][1], strict=True))
    if scenario.kind == "of direct":
        return tuple(direct / mine for mine, direct in pairs)
    return tuple(load.each(mine - direct) for mine, direct in pairs)
