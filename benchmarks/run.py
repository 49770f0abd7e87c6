"""Measure looprig and its peers against the same tests written sync: one command, one table.

    python3 benchmarks/run.py [--quick] [--only looprig,anyio] [--scenario own-loop,http] [--rounds 5]

Contenders run in turn within every round (A B C, B C A, ...), after one warm-up each that fills the bytecode caches.
Prints the table, and writes results.json and results.svg to the results folder in the cache folder. README.md explains
the figures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TypeVar

from contenders import CONTENDERS, PLOTTER
from envs import HERE, Envs
from http_suites import make_http_suite
from measure import Child, clean_environment, forget_byte_code, run_child, run_script
from report import Figure, collection, growth, http, overhead, startup, table
from scenarios import FULL, QUICK, SCENARIOS, SLOW, Scenario, Sizes
from suites import make_suite
from turns import WrongRunError, in_turn, machine

T = TypeVar("T")


@dataclass(slots=True)
class Bench:
    """One invocation: its options, and the contenders left out of a scenario, with the reasons."""

    envs: Envs
    pythons: dict[str, Path]
    sizes: Sizes
    only: frozenset[str]
    clock: str
    left_out: dict[str, str] = field(default_factory=dict)

    def contenders(self, scenario: Scenario) -> list[str]:
        return [name for name in scenario.contenders if not self.only or name in self.only or name == "sync"]

    def in_turn(self, subjects: dict[str, Callable[[], T]]) -> dict[str, list[T]]:
        return in_turn(subjects, self.sizes.rounds, self.left_out, frozenset({"sync", "bare"}))

    def suite(self, scenario: Scenario, name: str, tests: int, arguments: Sequence[str] = ()) -> Callable[[], Child]:
        """Return a function that runs `name` once over a newly written tree of `tests` tests."""
        python, contender = self.pythons[name], CONTENDERS[name]
        written = "sync" if scenario.kind == "idle" else name
        http_suite = scenario.kind == "http"
        files = (
            make_http_suite(name, tests, own_clients=scenario.own_clients)
            if http_suite
            else make_suite(scenario.layout, written, tests)
        )
        root = self.envs.cache / "suites" / f"{scenario.name}-{name}-{tests}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        for path, source in files.items():
            (root / path).write_text(source, encoding="utf-8")

        def once() -> Child:
            # Thousands of tracebacks would take longer than everything that is measured.
            options = [*contender.arguments, *arguments, "--maxfail=10"]
            child = run_child(python, root, options, counts_calls=self.clock == "calls")
            if child.collected != tests or (scenario.kind != "collection" and child.passed != tests):
                raise WrongRunError(f"{child.passed} of {tests} tests passed, {child.collected} collected: see {root}")
            return self.timed(child)

        return once

    def timed(self, child: Child) -> Child:
        """Return the child with the seconds of the clock that was asked for."""
        match self.clock:
            case "cpu":
                return child.by_processor()
            case "calls":
                return child.by_calls()
            case _:
                return child

    def start(self, scenario: Scenario, name: str) -> Callable[[], float]:
        """Return what runs `name` several times over one test, for the median of the seconds."""
        python, contender = self.pythons[name], CONTENDERS[name]
        root = self.envs.cache / "suites" / f"{scenario.name}-{name}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        for path, source in make_suite("plain", "sync" if scenario.is_sync else name, 1).items():
            (root / path).write_text(source, encoding="utf-8")

        def once() -> float:
            if not scenario.is_cached:
                forget_byte_code(python)
            starts = [
                self.timed(run_child(python, root, contender.arguments, is_cached=scenario.is_cached))
                for _ in range(self.sizes.starts)
            ]
            if any(child.passed != 1 for child in starts):
                raise WrongRunError(f"the test did not pass: see {root}")
            return median(child.wall_seconds for child in starts)

        return once

    def measure(self, scenario: Scenario) -> list[Figure]:
        names = self.contenders(scenario)
        sizes = self.sizes
        match scenario.kind:
            case "overhead" | "idle":
                slow = SLOW.get(scenario.kind, frozenset())
                counts = {name: sizes.slow if name in slow else sizes.tests for name in names}
                runs = self.in_turn({name: self.suite(scenario, name, counts[name]) for name in names})
                return [*overhead(scenario, runs)]
            case "collection":
                options = ("--collect-only", "-q")
                runs = self.in_turn({name: self.suite(scenario, name, sizes.tests, options) for name in names})
                return [*collection(scenario, runs)]
            case "growth":
                by_size = {
                    size: self.in_turn({name: self.suite(scenario, name, size) for name in names})
                    for size in sizes.growth
                }
                return [*growth(scenario, by_size)]
            case "startup":
                starts = self.in_turn({name: self.start(scenario, name) for name in names})
                return [*startup(scenario, starts)]
            case "http":
                self.suite(scenario, "sync", 0)  # writes the bare script, in the environment without a plugin
                root = self.envs.cache / "suites" / f"{scenario.name}-sync-0"
                subjects: dict[str, Callable[[], Child | float]] = {
                    name: self.suite(scenario, name, sizes.http) for name in names if name != "sync"
                }
                clock = 0 if self.clock == "wall" else 1
                subjects["bare"] = lambda: run_script(self.pythons["sync"], root, ["bare.py", str(sizes.http)])[clock]
                done = self.in_turn(subjects)
                seconds = [value for value in done.pop("bare") if isinstance(value, float)]
                children = {name: [c for c in rounds if isinstance(c, Child)] for name, rounds in done.items()}
                return [*http(scenario, children, seconds)]


def plot(envs: Envs, results: Path) -> None:
    command = [str(envs.python(PLOTTER)), str(HERE / "plot.py"), str(results), str(results.with_suffix(".svg"))]
    subprocess.run(command, check=True, env=clean_environment())
    print(f"plot: {results.with_suffix('.svg')}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few tests, two rounds: does it work, not how fast")
    parser.add_argument("--only", default="", help="comma-separated contenders; sync is always included")
    parser.add_argument("--scenario", default="", help=", ".join(scenario.name for scenario in SCENARIOS))
    parser.add_argument("--rounds", type=int, help="rounds after the warm-up")
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu", "calls"),
        default="wall",
        help="cpu: on a machine with other work; calls: a microsecond for each call of a function",
    )
    parser.add_argument("--no-plot", action="store_true")
    Envs.add_options(parser)
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else FULL
    if options.rounds:
        sizes = Sizes(**{**asdict(sizes), "rounds": options.rounds})
    wanted = set(filter(None, options.scenario.split(",")))
    only = frozenset(filter(None, options.only.split(",")))
    envs = Envs.from_options(options)
    pythons = {
        name: envs.python(contender) for name, contender in CONTENDERS.items() if not only or name in only | {"sync"}
    }
    saved: dict[str, object] = {}
    told: dict[str, object] = {
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "clock": options.clock,
        "sizes": asdict(sizes),
        "machine": machine(),
        "versions": {name: envs.versions(python) for name, python in pythons.items()},
        "scenarios": saved,
    }
    for scenario in SCENARIOS:
        if wanted and scenario.name not in wanted:
            continue
        if options.clock == "calls" and scenario.kind in {"growth", "http", "startup"}:
            print(f"{scenario.name} can't be counted in calls", file=sys.stderr)
            continue
        bench = Bench(envs, pythons, sizes, only, options.clock)
        print(f"{scenario.name} ...", file=sys.stderr, flush=True)
        figures = bench.measure(scenario)
        if options.clock == "calls":
            figures = [figure.in_calls() for figure in figures]
        print("\n".join(table(scenario.title, figures, bench.left_out)), flush=True)
        saved[scenario.name] = {
            "title": scenario.title,
            "kind": scenario.kind,
            "figures": [figure.as_dict() for figure in figures],
            "left_out": bench.left_out,
        }
    results = envs.results / "results.json"
    results.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"\nresults: {results}")
    if not options.no_plot:
        plot(envs, results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
