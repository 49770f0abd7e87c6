"""The summary of findings that failed no test: one line, or with `-v` the text of each finding, once.

Loaded only if there is such a finding.
"""

from collections.abc import Sequence

import pytest

from looprig.pytest_plugin.checks.report import many
from looprig.pytest_plugin.properties import NOTED, texts_in

__all__ = ["show_noted"]


def show_noted(terminal: pytest.TerminalReporter, reports: Sequence[pytest.TestReport]) -> None:
    """Show the number of findings and of their tests. With `-v`, show the findings too."""
    found: dict[str, set[str]] = {}
    for report in reports:
        for text in texts_in(report, NOTED):
            found.setdefault(text, set()).add(report.nodeid)
    tests = set[str]().union(*found.values())
    what = f"looprig: watchdogs noted {many(len(found), 'finding')} in {many(len(tests), 'test')}"
    if terminal.verbosity <= 0:
        terminal.write_line(f"{what}: -v shows them.")
        return
    terminal.section(what)
    for text, of in found.items():
        for line in text.splitlines():
            terminal.write_line(line)
        terminal.write_line(f"({', '.join(sorted(of))})")
        terminal.write_line("")
