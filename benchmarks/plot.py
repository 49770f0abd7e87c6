"""Draw results.json as an SVG: overhead as bars, collection and HTTP as bars of ratios, growth as lines.

Runs in its own environment, with matplotlib, and imports nothing from the driver:

    python plot.py results.json results.svg
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Final

COLORS: Final[Mapping[str, str]] = {
    "sync": "#888888",
    "looprig": "#0072b2",
    "looprig+anyio": "#66a9d1",
    "pytest-asyncio": "#d55e00",
    "anyio": "#009e73",
    "alt-pytest-asyncio": "#cc79a7",
    "pytest-aiohttp": "#e69f00",
    "aiomisc": "#56b4e9",
}
WHAT: Final[Mapping[str, str]] = {
    "overhead": "over sync",
    "idle": "over sync",
    "collection": "collection, of sync",
    "http": "of the bare loop",
}


def bars(axes: Any, scenario: Mapping[str, Any]) -> None:
    """Draw one bar per contender, with a whisker from the minimum to the maximum of the rounds."""
    figures = [figure for figure in scenario["figures"] if figure["what"] == WHAT[scenario["kind"]]]
    # A contender that takes milliseconds would flatten all others, so its bar is cut off and labelled.
    limit = 2.5 * median(figure["median"] for figure in figures)
    for place, figure in enumerate(figures):
        middle, rounds = figure["median"], figure["rounds"]
        axes.bar(place, min(middle, limit), color=COLORS.get(figure["contender"], "#444444"))
        if middle <= limit:
            axes.vlines(place, min(rounds), max(rounds), color="black", linewidth=1)
        number = f"{middle:,.0f}" if abs(middle) >= 20 else f"{middle:.2f}"
        axes.text(place, min(max(middle, 0), limit), number, ha="center", va="bottom", fontsize=8)
        if figure["target"] is not None:
            axes.axhline(figure["target"], color="#0072b2", linestyle="--", linewidth=1)
    axes.set_xticks(range(len(figures)), [f["contender"] for f in figures], rotation=20, ha="right", fontsize=8)
    axes.set_ylabel(figures[0]["unit"] if figures else "")
    axes.set_ylim(top=limit * 1.15)


def lines(axes: Any, scenario: Mapping[str, Any]) -> None:
    """Draw one line per contender: microseconds per test over sync, by the number of tests."""
    names = dict.fromkeys(figure["contender"] for figure in scenario["figures"] if figure["contender"] != "sync")
    for name in names:
        points = [
            (int(figure["what"].split()[0].replace(",", "")), figure["median"])
            for figure in scenario["figures"]
            if figure["contender"] == name and figure["what"].endswith("tests over sync")
        ]
        axes.plot(*zip(*points, strict=True), marker="o", label=name, color=COLORS.get(name))
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("tests")
    axes.set_ylabel("us/test over sync, with collection")
    axes.legend(fontsize=8)


def main(source: Path, target: Path) -> None:
    results = json.loads(source.read_text(encoding="utf-8"))
    scenarios = [scenario for scenario in results["scenarios"].values() if len(scenario["figures"]) > 1]
    # Imported by name, so that the environment of the type checkers doesn't need it.
    plt: Any = import_module("matplotlib.pyplot")
    plt.switch_backend("svg")
    rows = -(-len(scenarios) // 3)
    figure, grid = plt.subplots(rows, 3, figsize=(16, 4.2 * rows), squeeze=False)
    draw: Callable[[Any, Mapping[str, Any]], None]
    for axes, scenario in zip(grid.flat, scenarios, strict=False):
        draw = lines if scenario["kind"] == "growth" else bars
        draw(axes, scenario)
        axes.set_title(scenario["title"], fontsize=10)
    for axes in list(grid.flat)[len(scenarios) :]:
        axes.set_visible(False)
    python = results["machine"]["python"]
    note = "; quick: not figures to go by" if results["quick"] else ""
    figure.suptitle(f"Python {python}, {results['sizes']['rounds']} rounds, {results['begun']}{note}")
    figure.tight_layout()
    figure.savefig(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
