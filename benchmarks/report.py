"""Figures computed from measured rounds, and the table that shows them. Pure: runs and writes nothing.

A figure is first computed within a round, relative to `sync` (or the bare loop) in the same round. Then the rounds are
combined: median, minimum and maximum. So the drift of a machine between rounds cancels out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TypeAlias

from measure import Child
from scenarios import Scenario

Runs: TypeAlias = Mapping[str, Sequence[Child]]
"""Rounds by contender."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the table: its value in each round, its unit, and its target, if it has one.

    A target is a maximum, or with `at_least` a minimum.
    """

    contender: str
    what: str
    unit: str
    rounds: tuple[float, ...]
    target: float | None = None
    when_set: float | None = None
    at_least: bool = False

    def in_calls(self) -> Figure:
        """Return the same figure of a run whose seconds were calls: a target in microseconds means nothing there."""
        return replace(self, unit=self.unit.replace("us/", "calls/"), target=None, when_set=None)

    @property
    def middle(self) -> float:
        return median(self.rounds)

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.middle >= self.target if self.at_least else self.middle <= self.target

    def as_dict(self) -> dict[str, object]:
        return {
            "contender": self.contender, "what": self.what, "unit": self.unit, "rounds": list(self.rounds),
            "median": self.middle, "target": self.target, "met": self.met, "when_set": self.when_set,
        }  # fmt: skip


def per_test(child: Child, seconds: float) -> float:
    """Return microseconds per test."""
    return seconds / child.collected * 1e6


def overhead(scenario: Scenario, runs: Runs) -> Iterator[Figure]:
    """Return the time of the run-test loop over that of the same tests written sync."""
    base = [per_test(child, child.run_seconds) for child in runs["sync"]]
    yield Figure("sync", "run", "us/test", tuple(base))
    for name, children in _others(runs):
        ours = [per_test(child, child.run_seconds) for child in children]
        target = scenario.target if name == "looprig" else None
        over = tuple(mine - sync for mine, sync in zip(ours, base, strict=True))
        yield Figure(name, "over sync", "us/test", over, target, scenario.when_set.get(name))
        yield Figure(name, "of sync", "times", tuple(mine / sync for mine, sync in zip(ours, base, strict=True)))


def collection(scenario: Scenario, runs: Runs) -> Iterator[Figure]:
    base = [per_test(child, child.collect_seconds) for child in runs["sync"]]
    yield Figure("sync", "collection", "us/test", tuple(base))
    for name, children in _others(runs):
        ours = [per_test(child, child.collect_seconds) for child in children]
        target = scenario.target if name == "looprig" else None
        times = tuple(mine / sync for mine, sync in zip(ours, base, strict=True))
        yield Figure(name, "collection, of sync", "times", times, target, scenario.when_set.get(name))


def startup(scenario: Scenario, seconds: Mapping[str, Sequence[float]]) -> Iterator[Figure]:
    """Return what a whole run of one test takes over that of pytest alone."""
    base = [each * 1000 for each in seconds["sync"]]
    yield Figure("sync", "run", "ms", tuple(base))
    for name, rounds in seconds.items():
        if name != "sync":
            over = tuple(mine * 1000 - sync for mine, sync in zip(rounds, base, strict=True))
            target = scenario.target if name == "looprig" else None
            yield Figure(name, "over sync", "ms", over, target, scenario.when_set.get(name))


def growth(scenario: Scenario, by_size: Mapping[int, Runs]) -> Iterator[Figure]:
    """Return the time per test at each size, including collection, and memory per test as a slope over the sizes."""
    sizes = sorted(by_size)
    least, most = sizes[0], sizes[-1]
    for name in by_size[least]:
        whole: dict[int, list[float]] = {}
        for size in sizes:
            whole[size] = [per_test(c, c.collect_seconds + c.run_seconds) for c in by_size[size][name]]
            base = [per_test(c, c.collect_seconds + c.run_seconds) for c in by_size[size]["sync"]]
            values = whole[size] if name == "sync" else [a - b for a, b in zip(whole[size], base, strict=True)]
            yield Figure(name, f"{size:,} tests" + " over sync" * (name != "sync"), "us/test", tuple(values))
        bend = tuple(a / b for a, b in zip(whole[most], whole[sizes[len(sizes) // 2 - 1]], strict=True))
        yield Figure(name, f"a test at {most:,} of one at {sizes[len(sizes) // 2 - 1]:,}", "times", bend)
        slopes, base = (
            [
                (b.peak_kib - a.peak_kib) / (most - least)
                for a, b in zip(by_size[least][who], by_size[most][who], strict=True)
            ]
            for who in (name, "sync")
        )
        if name == "sync":
            yield Figure(name, "memory", "KiB/test", tuple(slopes))
        else:
            target = scenario.target_kib if name == "looprig" else None
            over = tuple(a - b for a, b in zip(slopes, base, strict=True))
            yield Figure(name, "memory over sync", "KiB/test", over, target)


def http(scenario: Scenario, runs: Runs, bare: Sequence[float]) -> Iterator[Figure]:
    """Return the time of the run-test loop relative to a bare loop, both with all set-up and teardown."""
    gets = next(iter(runs.values()))[0].collected
    yield Figure("bare loop", "GET", "us/test", tuple(seconds / gets * 1e6 for seconds in bare))
    for name, children in runs.items():
        target = scenario.target if name == "looprig" else None
        times = tuple(child.run_seconds / seconds for child, seconds in zip(children, bare, strict=True))
        yield Figure(name, "of the bare loop", "times", times, target, scenario.when_set.get(name))


def _others(runs: Runs) -> Iterator[tuple[str, Sequence[Child]]]:
    return ((name, children) for name, children in runs.items() if name != "sync")


def table(title: str, figures: Sequence[Figure], left_out: Mapping[str, str]) -> Iterator[str]:
    """Yield the table's lines for one scenario; `left_out` has the reason why a contender has no figure."""
    yield f"\n{title}"
    yield _line(("contender", "what", "median", "min .. max", "unit", "to reach"))
    for figure in figures:
        reach = ""
        if figure.target is not None:
            reach = f"{'at least ' * figure.at_least}{figure.target:g}: {'met' if figure.met else 'NOT met'}"
        elif figure.when_set is not None:
            reach = f"({figure.when_set:g} when set)"
        span = f"{_number(min(figure.rounds))} .. {_number(max(figure.rounds))}"
        yield _line((figure.contender, figure.what, _number(figure.middle), span, figure.unit, reach))
    for name, reason in left_out.items():
        yield f"  {name:<20}{reason}"


def _line(cells: tuple[str, str, str, str, str, str]) -> str:
    contender, what, middle, span, unit, reach = cells
    return f"  {contender:<20}{what:<30}{middle:>10}{span:>22}  {unit:<9} {reach}".rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
