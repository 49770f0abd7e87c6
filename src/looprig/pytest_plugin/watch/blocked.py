"""The summary of what blocked loops in tests that did not fail for it: a table of lines, with the total of each.

Loaded only if something did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

from looprig.pytest_plugin.checks.report import many
from looprig.pytest_plugin.properties import BLOCKED, texts_in

__all__ = ["show_blocked"]

_MUCH: Final = 1.0
"""Seconds in total from which the table is shown without `-v`."""
_SHOWN: Final = 10
"""Maximum number of lines in the table without `-v`."""


def show_blocked(terminal: pytest.TerminalReporter, reports: Sequence[pytest.TestReport]) -> None:
    """Show how often and for how long loops were blocked. With `-v`, or if it was long, show the lines too."""
    found: dict[str, list[float]] = {}
    seen: set[tuple[str, str]] = set()
    for report in reports:
        for text in texts_in(report, BLOCKED):
            if (report.nodeid, text) not in seen:  # the reports of one test's phases share their properties
                seen.add((report.nodeid, text))
                seconds, _, place = text.partition(" ")
                found.setdefault(place, []).append(float(seconds))
    total = sum(map(sum, found.values()))
    tests = many(len({nodeid for nodeid, _ in seen}), "test")
    what = f"looprig: {many(len(seen), 'callback')} blocked the loop in {tests}, for {total:.1f} s"
    if terminal.verbosity <= 0 and total < _MUCH:
        terminal.write_line(f"{what}: -v shows where.")
        return
    terminal.section(what)
    rows = sorted(found.items(), key=lambda row: -sum(row[1]))
    for place, times in rows if terminal.verbosity > 0 else rows[:_SHOWN]:
        terminal.write_line(f"{sum(times):6.1f} s  {len(times):4} x  {place}")
    if terminal.verbosity <= 0 and len(rows) > _SHOWN:
        terminal.write_line(f"and {len(rows) - _SHOWN} more: -v shows them.")
