"""`--check-fixtures`: has a type checker compare the types that fixtures provide with those that parameters declare.

Does not collect edges (`edges` does) or run the type checker (`looprig.check` does).

Invariants:
1. Errors during collection are findings too, so a wrong scope does not hide a wrong type.
2. Fixtures that no test uses are checked too, including those in conftests of folders that were not selected.
3. In a machine-readable format, standard output contains only the document.
"""

from collections.abc import Iterator, Sequence
from typing import Final, final

import pytest

from looprig.check.causes import by_cause
from looprig.check.edges import CODES, Finding
from looprig.check.output import FORMATS, shown_path
from looprig.check.run import Judged, choose, judge
from looprig.check.source import Spot
from looprig.check.suppress import suppressed
from looprig.exceptions import DeclarationError, LooprigError
from looprig.pytest_plugin._compat.terminal import print_document, write_to_standard_error
from looprig.pytest_plugin.checks.report import many
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.inspect.caches import checker_cache
from looprig.pytest_plugin.inspect.edges import FixtureEdges
from looprig.pytest_plugin.inspect.inspection import Inspection
from looprig.pytest_plugin.inspect.unreached import Conftests, StandIns

__all__ = ["TypeCheck"]

_CACHE: Final = "looprig-fixtures"


@final
class TypeCheck(Inspection):
    """The inspection of `--check-fixtures`."""

    title = "fixture types"

    def __init__(self, session: pytest.Session, registry: Registry) -> None:
        super().__init__(session, registry)
        self._session = session
        self._format = str(self.config.getoption("check_format"))
        if self._format != "text":
            write_to_standard_error(self.config)
        try:
            self._checker = choose(self.config.getoption("check_fixtures") or None, self.root)
        except LooprigError as error:
            raise pytest.UsageError(str(error)) from error

    def stand_ins(self) -> Sequence[pytest.Item]:
        """Read the conftests that were not selected, and return a test for each fixture that no test uses."""
        self._conftests = Conftests(self._session, self.items)
        self._conftests.read()
        self._stand_ins = StandIns(self._session, self.registry, self.is_own)
        self.errors.extend(self._stand_ins.errors)
        return self._stand_ins.missing(self.items)

    def report(self, session: pytest.Session) -> Iterator[str]:
        """Yield the findings, and a summary."""
        overrides = bool(self.config.getoption("check_overrides"))
        found = FixtureEdges(self.root, self.registry, self.types, self.is_own, overrides=overrides)
        found.collect(self.items, self._stand_ins.all())
        with checker_cache(self.config, _CACHE, self._checker.name) as cache:
            judged = judge(self._checker, found.edges, self.types.sources, self.root, cache)
        judged.unread += found.unread
        findings = [*judged.findings, *self._declarations()]
        if self.config.getoption("check_untyped"):
            findings += self._untyped()
        own = [source for source in self.types.sources if self.is_own(source.path)]
        findings = suppressed(findings, own, [source.path for source in own if self.is_whole(source.path)])
        findings = by_cause(findings, self.root)
        self.findings.extend(findings)
        text = FORMATS[self._format](findings, self.root)
        if self._format != "text":
            print_document(self.config, text)
            return
        yield from text.splitlines()
        yield from self._summary(findings, judged, found.silent)

    def _untyped(self) -> Iterator[Finding]:
        for definition, spot in self.types.untyped.items():
            if self.is_own(spot.path):
                message = f'fixture "{definition.argname}" has no return annotation'
                yield Finding(spot, "fixture-untyped", message)

    def _declarations(self) -> Iterator[Finding]:
        """Yield the errors found during collection. A missing name is reported once for each place that uses it."""
        seen: set[tuple[Spot, str]] = set()
        for error in self.errors:
            code = error.code if isinstance(error, DeclarationError) else "declaration"
            if code == "fixture-type":  # the checker reports it
                continue
            message = " ".join(f"{error.what} {error.fix}".split()).removesuffix(".")
            finding = Finding(self._spot(error), code if code in CODES else "declaration", message)
            if code != "fixture-missing" or (finding.spot, code) not in seen:
                seen.add((finding.spot, code))
                yield finding

    def _spot(self, error: LooprigError) -> Spot:
        if not error.parties:
            return Spot(str(self.root), 1)
        location = error.parties[0][1]
        spot = Spot(location.path, max(location.line, 1))
        name = error.parameter if isinstance(error, DeclarationError) else ""
        source = self.types.sources.read(location.path, "")
        return (source is not None and name and source.spot_of_parameter(location.line, name)) or spot

    def _summary(self, findings: list[Finding], judged: Judged, silent: int) -> Iterator[str]:
        reasons: dict[str, int] = {}
        for unread in judged.unread:
            reasons[unread.reason] = reasons.get(unread.reason, 0) + 1
        files = len({finding.spot.path for finding in findings})
        head = f"{many(len(findings), 'finding')} in {many(files, 'file')}" if findings else "No finding"
        checked = f"{head}: {many(judged.checked, 'edge')} checked with {self._checker.name}"
        has = "has" if silent == 1 else "have"
        help_ = f"; {many(silent, 'parameter')} {has} no annotation: --annotate-fixtures helps" if silent else ""
        yield f"{checked}{help_}."
        for nodeid in self.uncollected:
            yield f"{nodeid or '.'} could not be collected, and is not checked."
        for path, reason in self._conftests.unreadable.items():
            yield f"{shown_path(path, self.root)} is not checked: {reason}"
        yield from (f"{many(count, 'edge')} not checked: {reason}." for reason, count in sorted(reasons.items()))
        if judged.complaints:
            yield f"{self._checker.name} said: {judged.complaints}"
        if self.config.get_verbosity() > 0:
            yield from (self._unread(each.edge.spot, each.edge.name, each.reason) for each in judged.unread)

    def _unread(self, spot: Spot, name: str, reason: str) -> str:
        return f"{shown_path(spot.path, self.root)}:{spot.line}:{spot.column}: {name} not checked: {reason}"
