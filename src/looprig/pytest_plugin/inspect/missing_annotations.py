"""`--annotate-fixtures`: the annotations that parameters of tests and fixtures lack, shown or written.

Does not work out the annotations (`check.annotate` does).

Invariants:
1. The difference is shown before anything is written.
2. No existing annotation is changed, nor any file outside of the project.
"""

import difflib
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import final

import pytest

from looprig._extras import import_extra
from looprig.check.annotate import REQUEST, Annotation, Left, Wanted, annotations
from looprig.check.layout import base_of
from looprig.check.output import shown_path
from looprig.check.source import Source
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin._compat.parameters import gives_parameter
from looprig.pytest_plugin.checks.report import many
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.inspect.inspection import Inspection
from looprig.pytest_plugin.inspect.types import Given, code_of

__all__ = ["MissingAnnotations"]


@final
class MissingAnnotations(Inspection):
    """The inspection of `--annotate-fixtures`."""

    title = "fixture annotations"

    def __init__(self, session: pytest.Session, registry: Registry) -> None:
        super().__init__(session, registry)
        self._last: list[str] = []
        self._left: list[Left] = []
        self._pending: list[tuple[Path, bytes]] = []

    def report(self, session: pytest.Session) -> Iterator[str]:
        """Yield the difference."""
        import_extra("libcst", extra="check", needed_for="--annotate-fixtures")
        made, left = annotations(list(self._wanted()), self.types.sources, self._is_importable)
        left = sorted([*left, *self._left], key=lambda each: each.spot)
        by_file: dict[str, list[Annotation]] = {}
        for each in made:
            by_file.setdefault(each.spot.path, []).append(each)
        for path, its in sorted(by_file.items()):
            yield from self._annotate(Path(path), its)
        self._last = [*self._conclusion(len(made), len(by_file), left), *self.error_count()]

    @property
    def _is_writing(self) -> bool:
        return bool(self.config.getoption("annotate_fixtures") == "write")

    def _wanted(self) -> Iterator[Wanted]:
        seen: set[tuple[object, str]] = set()
        for item in self.items:
            if not isinstance(item, pytest.Function):
                continue
            for user, name, found in closure_of(item).requests():
                function = item.obj if user is None else user.func
                if (code_of(function), name) in seen or (user is not None and self.registry.spec(user) is not None):
                    continue
                seen.add((code_of(function), name))
                written = self.types.function(function)
                argument = None if written is None else written[1].parameter(name)
                if written is None or argument is None or argument.annotation is not None:
                    continue
                source = written[0]
                given = self._given(name, found)
                if not self.is_own(source.path) or given is None:
                    continue
                if given.type is None:
                    self._left.append(Left(source.spot(argument), name, f"its fixture has {given.why}"))
                else:
                    yield Wanted(source, source.spot(argument), name, given.type, given.unwrap)

    def _given(self, name: str, found: Definition | None) -> Given | None:
        if found is None:
            return Given(REQUEST) if name == "request" else None
        return None if gives_parameter(found) else self.types.gives(found)

    def _is_importable(self, path: str) -> bool:
        """Return whether a file is a module that others can import, unlike several conftests of one name."""
        known: list[Source] = [source for source in self.types.sources if source.path == path]
        names = [source.module for source in self.types.sources]
        return all(
            names.count(source.module) == 1 and base_of(path, source.module) is not None for source in known
        ) and (Path(path).name != "conftest.py" or any("." in source.module for source in known))

    def _annotate(self, path: Path, wanted: list[Annotation]) -> Iterator[str]:
        from looprig.check.rewrite import rewritten  # noqa: PLC0415 - libcst

        before = path.read_bytes()
        after = rewritten(before, wanted)
        self._pending.append((path, after))
        name = shown_path(str(path), self.root)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(before).readline)
        old, new = (text.decode(encoding).splitlines() for text in (before, after))
        yield from difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the difference, and only then write it."""
        super().pytest_terminal_summary(terminalreporter)
        for path, text in self._pending if self._is_writing else ():
            path.write_bytes(text)
        for line in self._last:
            terminalreporter.write_line(line)

    def _conclusion(self, count: int, files: int, left: list[Left]) -> Iterator[str]:
        for each in left:
            place = f"{shown_path(each.spot.path, self.root)}:{each.spot.line}:{each.spot.column}"
            yield f"{place}: {each.name} is left: {each.reason}"
        what = f"{many(count, 'parameter')} in {many(files, 'file')}"
        if self._is_writing or not count:
            yield f"Annotated {what}."
        else:
            yield f"Would annotate {what}. To write it: pytest --annotate-fixtures=write"
