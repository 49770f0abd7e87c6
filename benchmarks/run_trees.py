"""Run the random fixture trees under looprig and its peers, and print which of them keep every test on its loop.

    python3 benchmarks/run_trees.py [--trees 100] [--first-seed 0] [--only looprig,anyio] [--adopted]

Measures no time: several trees run at once, one process each. Prints three counts for each contender: trees without a
failure, failed tests (including set-up and teardown), and tests that met a task left by another test. With `--adopted`,
looprig runs trees that are spelled for each peer, in its place.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from contenders import ADOPTERS, CONTENDERS, Contender
from envs import Envs
from measure import ChildError, run_child
from spellings import PluginSpeller, Spelling
from trees import make_tree


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: one contender in one configuration."""

    title: str
    contender: Contender
    spelling: Spelling


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one tree. `looked` counts the tests that ran after another one had left a task."""

    tests: int
    failed: int
    met: int
    looked: int
    whole: bool = True
    """False if the tree's process didn't end by itself, or ended without a result."""


ROWS: Final = (
    Row("pytest-asyncio, default scopes", CONTENDERS["pytest-asyncio"], "pytest-asyncio"),
    Row("pytest-asyncio, everything session", CONTENDERS["pytest-asyncio"], "pytest-asyncio-session"),
    Row("anyio", CONTENDERS["anyio"], "anyio"),
    Row("anyio, backend for sync tests too", CONTENDERS["anyio"], "anyio-autouse"),
    Row("looprig", CONTENDERS["looprig"], "looprig"),
)
ADOPTED: Final = (
    Row("pytest-asyncio, auto", ADOPTERS["pytest-asyncio"], "pytest-asyncio"),
    Row("pytest-asyncio, auto, with loop scopes", ADOPTERS["pytest-asyncio"], "pytest-asyncio-scopes"),
    Row(
        "pytest-asyncio, strict, with loop scopes",
        ADOPTERS["pytest-asyncio"],
        "pytest-asyncio-strict",
    ),
    Row("anyio, auto", ADOPTERS["anyio"], "anyio"),
    Row("anyio, marks, backend of fitting scope", ADOPTERS["anyio"], "anyio-marks"),
    Row("pytest-aiohttp, auto", ADOPTERS["pytest-aiohttp"], "pytest-asyncio"),
    Row("aiohttp's own plugin", ADOPTERS["aiohttp"], "looprig"),
    Row("aiomisc-pytest", ADOPTERS["aiomisc"], "looprig"),
)
"""Suites of each peer that looprig runs in its place."""


def run_tree(row: Row, python: Path, seed: int, keep_failing: Path | None) -> Outcome:
    """Write the tree of `seed`, run it in its own process, and read the outcomes of its tests."""
    with tempfile.TemporaryDirectory(prefix="looprig-tree-") as name:
        root = Path(name)
        write(root, make_tree(seed, PluginSpeller(row.spelling, seed)))
        record = root / "met.jsonl"
        try:
            child = run_child(python, root, row.contender.arguments, record=record, timeout=180)
        except ChildError:
            outcome = Outcome(0, 0, 0, 0, whole=False)
        else:
            seen = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
            met = sum(bool(entry["met"]) for entry in seen)
            outcome = Outcome(child.collected, child.collected - child.passed, met, len(seen))
        if keep_failing is not None and (outcome.failed or outcome.met or not outcome.whole):
            shutil.copytree(root, keep_failing / f"{row.spelling}-{seed}", dirs_exist_ok=True)
        return outcome


def write(root: Path, files: dict[str, str]) -> None:
    for path, source in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, encoding="utf-8")


def table(results: dict[str, list[Outcome]]) -> Iterable[str]:
    yield "| | trees with no failure | tests failed | tests that met another test's left-over task |"
    yield "|---|---|---|---|"
    for title, outcomes in results.items():
        good = sum(outcome.whole and not outcome.failed for outcome in outcomes)
        failed = sum(outcome.failed for outcome in outcomes)
        tests = sum(outcome.tests for outcome in outcomes)
        met, looked = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("met", "looked"))
        hung = sum(not outcome.whole for outcome in outcomes)
        note = f" ({hung} trees gave no result)" if hung else ""
        yield f"| {title} | {good} of {len(outcomes)}{note} | {failed:,} of {tests:,} | {met:,} of {looked:,} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, default=100, help="how many trees (default 100)")
    parser.add_argument("--first-seed", type=int, default=0, help="the seed of the first tree")
    parser.add_argument("--only", default="", help="comma-separated contenders, e.g. looprig,anyio")
    parser.add_argument("--jobs", type=int, default=1, help="trees run at the same time (default 1)")
    parser.add_argument("--keep-failing", type=Path, help="copy the trees that failed into this folder")
    parser.add_argument("--adopted", action="store_true", help="have looprig run trees that are spelled for its peers")
    Envs.add_options(parser)
    options = parser.parse_args(arguments)
    only = set(filter(None, options.only.split(",")))
    all_rows = ADOPTED if options.adopted else ROWS
    rows = [row for row in all_rows if not only or row.contender.name.removeprefix("adopting-") in only]
    envs = Envs.from_options(options)
    # All before the first run: the checkout may change meanwhile.
    pythons = {row.contender.name: envs.python(row.contender) for row in rows}
    results: dict[str, list[Outcome]] = {}
    seeds = range(options.first_seed, options.first_seed + options.trees)
    for row in rows:
        python = pythons[row.contender.name]
        with ThreadPoolExecutor(options.jobs) as pool:
            ran = pool.map(lambda seed: run_tree(row, python, seed, options.keep_failing), seeds)  # noqa: B023
            results[row.title] = list(ran)
        print(f"{row.title}: done", file=sys.stderr, flush=True)
    print("\n".join(table(results)))
    saved = {title: [asdict(outcome) for outcome in outcomes] for title, outcomes in results.items()}
    target = envs.results / ("adopted-trees.json" if options.adopted else "trees.json")
    target.write_text(json.dumps({"seeds": [seeds.start, seeds.stop], "rows": saved}, indent=1) + "\n")
    ours = [outcome for title, ran in results.items() if options.adopted or title == "looprig" for outcome in ran]
    return int(any(outcome.failed or outcome.met or not outcome.whole for outcome in ours))


if __name__ == "__main__":
    raise SystemExit(main())
