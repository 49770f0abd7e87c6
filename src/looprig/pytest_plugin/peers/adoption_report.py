"""`--adopt-report`: what was adopted, needless declarations, and loop mismatches that no longer exist.

Does not read source files (`needless` does), and decides nothing (`adoption` does).

Invariants:
1. The report consists of lists, dicts, strings and numbers, since pytest-xdist sends it to the controller.
2. A declaration is reported as needless only if every test that it may concern is adopted.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, final

import pytest

from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition, has_fixtures
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin.is_async import innermost, is_async_definition, is_of_suite
from looprig.pytest_plugin.peers.active import Peers
from looprig.pytest_plugin.peers.needless import needless_in, needless_options
from looprig.pytest_plugin.peers.peer import Peer
from looprig.pytest_plugin.sections import Sections

__all__ = ["SECTION", "AdoptionReport", "show_report"]

SECTION: Final = "adoption"


@final
class AdoptionReport:
    """The hook that computes the report for the selected tests."""

    def __init__(self, peers: Peers, sections: Sections) -> None:
        self._peers = peers
        self._sections = sections

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the report, to be shown at the end of the run."""
        items = [item for item in session.items if has_fixtures(item)]
        adoption = self._peers.adoption
        reports = [_Report(peer, items, self._peers).all() for peer in (() if adoption is None else adoption.adopted)]
        self._sections.note(SECTION, [report for report in reports if report["tests"]])


class _Report:
    """The findings about one plugin."""

    def __init__(self, peer: Peer, items: Sequence[pytest.Function], peers: Peers) -> None:
        self._peer = peer
        concerned = [item for item in items if peer.runs(item)]
        self._items = [item for item in concerned if peers.adopts(peer, item)]
        adopted = {*self._items}
        self._left = [item for item in concerned if item not in adopted]
        self._config = items[0].config if items else None

    def all(self) -> dict[str, Any]:
        used = {item: [*closure_of(item).used()] for item in self._items}
        definitions = {definition for found in used.values() for definition in found}
        run = [each for each in definitions if is_async_definition(each) or self._peer.makes(each)]
        return {
            "plugin": self._peer.name,
            "tests": len(self._items),
            "fixtures": len(run),
            "needless": sorted({*self._in_files(definitions), *self._in_ini_file()}),
            "hidden": self._hidden(),
        }

    def _in_files(self, definitions: set[Definition]) -> Iterator[tuple[str, int, str]]:
        tests = {item.path for item in self._items}
        fixtures = {Path(_file_of(each)) for each in definitions if is_of_suite(each)}
        for path in {*tests, *fixtures, *self._conftests()}:
            if path in tests and path.name != "conftest.py":
                is_whole = not any(item.path == path for item in self._left)
            else:
                above = path.parent if path.name == "conftest.py" else Path(path.anchor)
                is_whole = not any(item.path.is_relative_to(above) for item in self._left)
            if is_whole:
                yield from ((str(path), line, what) for line, what in needless_in(path, self._peer.needless))

    def _conftests(self) -> Iterator[Path]:
        plugins = self._config.pluginmanager.get_plugins() if self._config is not None else ()
        for plugin in plugins:
            file = getattr(plugin, "__file__", None) if isinstance(plugin, ModuleType) else None
            path = Path(file or "")
            if path.name == "conftest.py" and any(item.path.is_relative_to(path.parent) for item in self._items):
                yield path

    def _in_ini_file(self) -> Iterator[tuple[str, int, str]]:
        path = self._config.inipath if self._config is not None else None
        if path is not None and not self._left:
            yield from ((str(path), line, what) for line, what in needless_options(path, self._peer.needless))

    def _hidden(self) -> list[tuple[str, int, str, int]]:
        counts: dict[tuple[str, int, str], int] = {}
        for item in self._items:
            for definition, own, of_test in self._peer.mismatches(item):
                place = location_of(definition.func)
                key = place.path, place.line, f"{definition.argname} ran on a {own} loop, its tests on {of_test} loops"
                counts[key] = counts.get(key, 0) + 1
        return [(*key, count) for key, count in sorted(counts.items())]


def _file_of(definition: Definition) -> str:
    return getattr(getattr(innermost(definition.func), "__code__", None), "co_filename", "")


def show_report(terminal: pytest.TerminalReporter, reports: Sequence[dict[str, Any]]) -> None:
    """Show the report, grouped by file unless the run is verbose."""
    from looprig.pytest_plugin.peers.adoption_text import report_lines  # noqa: PLC0415 - once, at the end

    terminal.section("looprig: adoption")
    for line in report_lines(reports, is_whole=terminal.config.option.verbose > 0):
        terminal.write_line(line)
