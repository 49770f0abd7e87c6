"""`--check-fixtures`: collects, has a type checker judge the edges, tells what it found, and runs no test.

Does not collect edges (`fixture_edges` does) and knows no checker (`looprig.check` does).

Invariants:
1. All that a collection would tell is told too, each at its place: a wrong scope does not hide a wrong type.
2. The exit status is 1 if there is a finding.
3. In a format for programs, nothing but the document is on standard output.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, final

import pytest

from looprig.check.edges import CODES, Finding
from looprig.check.layout import is_foreign
from looprig.check.output import FORMATS, shown_path
from looprig.check.run import Judged, choose, judge
from looprig.check.source import Sources, Spot
from looprig.check.stubs import Stubs
from looprig.check.suppress import suppressed
from looprig.exceptions import DeclarationError, LooprigError
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin.collecting import Collecting
from looprig.pytest_plugin.fixture_edges import FixtureEdges
from looprig.pytest_plugin.fixture_types import FixtureTypes

__all__ = ["Checking"]

_CACHE: Final = "looprig-fixtures"


@final
class Checking:
    """One check."""

    def __init__(self, session: pytest.Session, collecting: Collecting) -> None:
        config = session.config
        self._session = session
        self._config = config
        self._errors: list[LooprigError] = []
        self._registry = collecting.registry
        try:
            self._checker = choose(config.getoption("check_fixtures") or None, config.rootpath)
        except LooprigError as error:
            raise pytest.UsageError(str(error)) from error
        self._told = ""
        if self._format != "text":
            _compat.write_to_standard_error(config)

    @property
    def _format(self) -> str:
        return str(self._config.getoption("output_format"))

    def note(self, errors: Iterable[LooprigError]) -> None:
        """Something that collection found out."""
        self._errors += errors

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        """Checks, in the place of running tests."""
        if session.testsfailed:
            raise session.Interrupted("what cannot be collected cannot be checked")
        try:
            self._check()
        except LooprigError as error:
            raise pytest.UsageError(str(error)) from error
        return True

    def _check(self) -> None:
        config = self._config
        stubs = Stubs([Path(folder) for folder in config.getini("fixture_stubs")])
        overrides = bool(config.getoption("check_overrides"))
        types = FixtureTypes(self._registry, stubs)
        found = FixtureEdges(config.rootpath, self._registry, types, overrides=overrides)
        found.collect(self._session.items)
        with tempfile.TemporaryDirectory(prefix="looprig-cache-") as spare:
            judged = judge(self._checker, found.edges, types.sources, config.rootpath, self._cache(Path(spare)))
        judged.unread += found.unread
        findings = [*judged.findings, *self._declarations(types.sources)]
        if config.getoption("check_untyped"):
            findings += self._untyped(types)
        own = [source for source in types.sources if self._is_own(source.path)]
        self._tell(suppressed(findings, own), judged)

    def _is_own(self, path: str) -> bool:
        return Path(path).is_relative_to(self._config.rootpath) and not is_foreign(path)

    def _untyped(self, types: FixtureTypes) -> Iterable[Finding]:
        for definition, spot in types.untyped.items():
            if self._is_own(spot.path):
                message = f'fixture "{definition.argname}" does not say what it provides'
                yield Finding(spot, "fixture-untyped", message)

    def _cache(self, spare: Path) -> Path:
        """A folder that stays, if there can be one."""
        cache = getattr(self._config, "cache", None)
        try:
            folder = spare if cache is None else Path(cache.mkdir(_CACHE)) / self._checker.name
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            return spare

    def _declarations(self, sources: Sources) -> Iterable[Finding]:
        """What collection found wrong."""
        for error in self._errors:
            code = error.code if isinstance(error, DeclarationError) else "declaration"
            if code == "fixture-type":  # for the checker to say
                continue
            message = " ".join(f"{error.what} {error.fix}".split()).removesuffix(".")
            yield Finding(self._spot(error, sources), code if code in CODES else "declaration", message)

    def _spot(self, error: LooprigError, sources: Sources) -> Spot:
        if not error.parties:
            return Spot(str(self._config.rootpath), 1)
        location = error.parties[0][1]
        spot = Spot(location.path, max(location.line, 1))
        name = error.parameter if isinstance(error, DeclarationError) else ""
        source = sources.read(location.path, "")
        return (source is not None and name and source.spot_of_parameter(location.line, name)) or spot

    def _tell(self, findings: list[Finding], judged: Judged) -> None:
        text = FORMATS[self._format](findings, self._config.rootpath)
        if findings:
            self._session.testsfailed = len(findings)
        if self._format == "text":
            self._told = "\n".join(filter(None, (text, self._summary(findings, judged))))
        else:
            _compat.print_document(self._config, text)

    def _summary(self, findings: list[Finding], judged: Judged) -> str:
        reasons: dict[str, int] = {}
        for unread in judged.unread:
            reasons[unread.reason] = reasons.get(unread.reason, 0) + 1
        files = len({finding.spot.path for finding in findings})
        head = f"{_many(len(findings), 'finding')} in {_many(files, 'file')}" if findings else "No finding"
        lines = [f"{head}: {_many(judged.checked, 'edge')} checked with {self._checker.name}."]
        lines += [f"{_many(count, 'edge')} not checked: {reason}." for reason, count in sorted(reasons.items())]
        if self._config.get_verbosity() > 0:
            lines += [self._unread(each.edge.spot, each.edge.name, each.reason) for each in judged.unread]
        return "\n".join(lines)

    def _unread(self, spot: Spot, name: str, reason: str) -> str:
        return f"{shown_path(spot.path, self._config.rootpath)}:{spot.line}:{spot.column}: {name} not checked: {reason}"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Shows the findings."""
        if self._told:
            terminalreporter.section("fixture types")
            terminalreporter.write_line(self._told)


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
