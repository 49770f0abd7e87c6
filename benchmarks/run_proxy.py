"""Measure looprig's TCP proxy and its peers against a direct connection: one command, one table.

    python3 benchmarks/run_proxy.py [--quick] [--only looprig,socat] [--scenario stream,ping] [--rounds 5]

Each contender runs in a new process, in turn within every round (A B C, B C A, ...), after one run each that fills the
bytecode caches. Prints the table, and writes proxy.json to the results folder in the cache folder. All traffic stays on
127.0.0.1. README.md explains the figures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from contenders import PROGRAMS, PROXIES
from envs import HERE, Envs
from measure import clean_environment, run_figure
from probe.job import Job, LoopName
from proxy_report import figures
from proxy_scenarios import PROXY_SCENARIOS, ProxyScenario
from report import Figure, table
from turns import in_turn, machine

LOOPS: Final[tuple[LoopName, ...]] = ("asyncio", "uvloop")
TIMEOUT: Final = 180.0


@dataclass(slots=True)
class Bench:
    """One invocation: its options, and the contenders left out of a scenario, with the reasons."""

    pythons: dict[str, Path]
    only: frozenset[str]
    rounds: int
    quick: bool
    left_out: dict[str, str] = field(default_factory=dict)

    def contenders(self, scenario: ProxyScenario) -> Iterator[str]:
        for name in scenario.contenders:
            if not self.only or name in self.only or name == "direct":
                if name in PROGRAMS and shutil.which(name) is None:
                    self.left_out[name] = "is not on PATH"
                else:
                    yield name

    def child(self, job: Job) -> Callable[[], float]:
        """Return a function that runs a job once and returns its seconds."""
        python = self.pythons["direct" if job.proxy in PROGRAMS else job.proxy]
        # Not the folder of the probes: they are a package, since they import each other.
        environment = clean_environment() | {"PYTHONPATH": str(HERE)}
        command = [str(python), "-P", "-m", "probe.proxied", "client", job.text()]
        return lambda: run_figure(command, environment=environment, timeout=TIMEOUT)

    def measure(self, scenario: ProxyScenario, loop: LoopName) -> list[Figure]:
        self.left_out.clear()
        jobs = {name: scenario.job(name, loop, quick=self.quick) for name in self.contenders(scenario)}
        subjects = {name: self.child(job) for name, job in jobs.items()}
        done = in_turn(subjects, self.rounds, self.left_out, frozenset({"direct"}))
        return [*figures(scenario, loop, {name: (jobs[name].load, seconds) for name, seconds in done.items()})]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="little traffic, two rounds: does it work, not how fast")
    parser.add_argument("--only", default="", help="comma-separated contenders; direct is always included")
    parser.add_argument("--scenario", default="", help=", ".join(scenario.name for scenario in PROXY_SCENARIOS))
    parser.add_argument("--rounds", type=int, help="rounds after the warm-up (default 5)")
    parser.add_argument("--loop", default="asyncio", help="comma-separated: asyncio (default), uvloop")
    Envs.add_options(parser)
    options = parser.parse_args(arguments)
    loops = cast("list[LoopName]", list(filter(None, options.loop.split(","))))
    if unknown := set(loops).difference(LOOPS):
        parser.error(f"--loop knows {', '.join(LOOPS)}, not {', '.join(sorted(unknown))}")
    wanted = set(filter(None, options.scenario.split(",")))
    only = frozenset(filter(None, options.only.split(",")))
    envs = Envs.from_options(options)
    pythons = {
        name: envs.python(contender) for name, contender in PROXIES.items() if not only or name in only | {"direct"}
    }
    bench = Bench(pythons, only, options.rounds or (2 if options.quick else 5), options.quick)
    saved: list[dict[str, object]] = []
    told: dict[str, object] = {
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "rounds": bench.rounds,
        "machine": machine(),
        "versions": {name: envs.versions(python) for name, python in pythons.items()},
        "scenarios": saved,
    }
    for loop in loops:
        for scenario in PROXY_SCENARIOS:
            if wanted and scenario.name not in wanted:
                continue
            title = scenario.title + f" ({loop})" * (loop != "asyncio")
            print(f"{scenario.name} ...", file=sys.stderr, flush=True)
            found = bench.measure(scenario, loop)
            print("\n".join(table(title, found, bench.left_out)), flush=True)
            saved.append({
                "name": scenario.name, "title": title, "loop": loop, "figures": [each.as_dict() for each in found],
                "left_out": dict(bench.left_out),
            })  # fmt: skip
    results = envs.results / "proxy.json"
    results.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"\nresults: {results}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
