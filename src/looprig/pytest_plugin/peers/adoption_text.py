"""The text of `--adopt-report`.

Uses only the data that `adoption_report` recorded, which may come from another process.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from looprig.location import Location
from looprig.pytest_plugin.checks.report import many

__all__ = ["report_lines"]


def report_lines(reports: Sequence[dict[str, Any]], *, is_whole: bool) -> Iterator[str]:
    """Yield the lines of the report: one for each file or, with `is_whole`, one for each place."""
    if not reports:
        yield "Nothing was adopted: no selected test belongs to another plugin."
        return
    for report in reports:
        yield (
            f"{report['plugin']}: looprig ran {many(report['tests'], 'test')} and "
            f"{many(report['fixtures'], 'async fixture')} in its place."
        )
    needless = sorted({(path, line, what) for report in reports for path, line, what in report["needless"]})
    if needless:
        files = {path for path, _, _ in needless}
        yield f"Needless now: {many(len(needless), 'declaration')} in {many(len(files), 'file')}"
        yield from _places(needless) if is_whole else _files(needless)
    hidden = [(path, line, what, count) for report in reports for path, line, what, count in report["hidden"]]
    if hidden:
        yield f"Loop mismatches that no longer exist: {len(hidden)}"
        for path, line, what, count in hidden:
            yield f"  {Location(path, line)}: {what} ({many(count, 'test')})"
    if needless and not is_whole:
        yield "Run with -v for each line."


def _places(needless: Sequence[tuple[str, int, str]]) -> Iterator[str]:
    for path, line, what in needless:
        yield f"  {Location(path, line)}: {what}"


def _files(needless: Sequence[tuple[str, int, str]]) -> Iterator[str]:
    by_file: dict[str, list[tuple[int, str]]] = {}
    for path, line, what in needless:
        by_file.setdefault(path, []).append((line, what))
    for path, found in by_file.items():
        counts = Counter(what for _, what in found)
        shown = ", ".join(what if count == 1 else f"{count} x {what}" for what, count in counts.items())
        yield f"  {Location(path, found[0][0])}: {shown}"
