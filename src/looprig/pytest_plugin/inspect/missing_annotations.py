"""`--annotate-fixtures`: shows or writes the missing annotations of tests and fixtures.

Does not work out the annotations (`check.annotate` and `check.infer` do), and does not test the changes (`safe_write`
does).

Invariants:
1. The difference is shown before anything is written.
2. Existing annotations and files outside the project are not changed.
3. In the end, each file compiles, and pytest collects the same from it as before.
"""

import difflib
import fnmatch
import inspect
import io
import tokenize
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, final

import pytest

from looprig._extras import import_extra
from looprig.check.annotate import REQUEST, Annotation, Left, Wanted, annotations
from looprig.check.checkers.mypy import forbids_incomplete
from looprig.check.edges import Unwrap
from looprig.check.infer import inferred
from looprig.check.layout import base_of
from looprig.check.output import shown_path
from looprig.check.source import Source
from looprig.check.typetext import TypeText, Written, yielded
from looprig.check.wrap import line_length
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin._compat.parameters import gives_parameter
from looprig.pytest_plugin.checks.report import many
from looprig.pytest_plugin.collection.annotations import written_function
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.inspect.inspection import Inspection
from looprig.pytest_plugin.inspect.safe_write import SafeWriter
from looprig.pytest_plugin.inspect.types import UNTYPED, Given, code_of

__all__ = ["MissingAnnotations"]


@final
class MissingAnnotations(Inspection):
    """The inspection of `--annotate-fixtures`."""

    title = "fixture annotations"

    def __init__(self, session: pytest.Session, registry: Registry) -> None:
        super().__init__(session, registry)
        self._left: list[Left] = []
        self._made: dict[Path, list[Annotation]] = {}
        self._functions: dict[object, Callable[..., Any]] = {}
        self._requested: dict[tuple[object, str], list[Definition | None]] = {}
        self._inferred: dict[Definition, TypeText | None] = {}

    def report(self, session: pytest.Session) -> Iterator[str]:
        """Yield the difference."""
        import_extra("libcst", extra="check", needed_for="--annotate-fixtures")
        wanted = [*self._wanted()]
        wanted += self._returning()
        made, left = annotations(
            wanted,
            self.types.sources,
            self._is_importable,
            self._is_collected,
            in_part=not forbids_incomplete(self.root),
        )
        self._left += left
        for each in made:
            self._made.setdefault(Path(each.spot.path).resolve(), []).append(each)
        for path, its in sorted(self._made.items()):
            yield from self._annotate(path, its)

    @property
    def _is_writing(self) -> bool:
        return bool(self.config.getoption("annotate_fixtures") == "write")

    def _note_requests(self) -> None:
        """Record each parameter of a test or fixture, with all fixtures that provide it somewhere."""
        for item in self.items:
            if not isinstance(item, pytest.Function):
                continue
            for user, name, found in closure_of(item).requests():
                function = item.obj if user is None else user.func
                if user is None or self.registry.spec(user) is None:
                    self._functions.setdefault(code_of(function), function)
                    answers = self._requested.setdefault((code_of(function), name), [])
                    if found not in answers:
                        answers.append(found)

    def _wanted(self) -> Iterator[Wanted]:
        self._note_requests()
        for (code, name), answers in self._requested.items():
            written = self.types.function(self._functions[code])
            argument = None if written is None else written[1].parameter(name)
            if written is None or argument is None or argument.annotation is not None:
                continue
            source, declared = written
            spot = source.spot(argument)
            if not self.is_own(source.path):
                continue
            given = self._given(name, answers)
            if given is not None and given.type is None:
                self._left.append(Left(spot, name, f"its fixture has {given.why}"))
            elif given is not None and given.type is not None:
                yield Wanted(source, declared, spot, name, given.type, given.unwrap)

    def _returning(self) -> Iterator[Wanted]:
        """Yield the return types of fixtures that lack the annotation, if they are certain."""
        for definition, found in self._inferred.items():
            written = self.types.function(definition.func)
            if found is None or written is None or not self.is_own(written[0].path):
                continue
            source, function = written
            if function.node.returns is None:
                yield Wanted(source, function, source.spot(function.node), "", found, _unwrap(definition.func))

    def _given(self, name: str, answers: list[Definition | None]) -> Given | None:
        """Return the type that a parameter's fixtures provide, or `None` if some of its values are parametrized."""
        if None in answers:
            return Given(REQUEST) if name == "request" else None
        found = [self._given_by(each) for each in answers if each is not None and not gives_parameter(each)]
        if len(found) < len(answers):
            return None
        if len({None if each.type is None else (each.type.shown(), each.unwrap) for each in found}) > 1:
            return Given(None, why="different types in different places")
        return found[0]

    def _given_by(self, found: Definition) -> Given:
        given = self.types.gives(found)
        if given.type is None and given.why == UNTYPED and (certain := self._infer(found)) is not None:
            return Given(certain)
        return given

    def _infer(self, definition: Definition) -> TypeText | None:
        """Return the type that a fixture without an annotation provides, if that is certain."""
        if definition not in self._inferred:
            self._inferred[definition] = None  # during the computation, for fixtures that override each other
            found = self.types.function(definition.func)
            if found is not None and _unwrap(definition.func) == _unwrap(written_function(definition.func)):
                self._inferred[definition] = inferred(*found, self.types.function, self._parameters_of(definition))
        return self._inferred[definition]

    def _parameters_of(self, definition: Definition) -> Callable[[str], TypeText | None]:
        def type_of(name: str) -> TypeText | None:
            declared = self.types.parameter(definition.func, name)
            if declared is not None:
                return declared[0]
            given = self._given(name, self._requested.get((code_of(definition.func), name), [None]))
            if given is None or given.unwrap == "value":
                return None if given is None else given.type
            return yielded(given.type) if isinstance(given.type, Written) else None

        return type_of

    def _is_collected(self, name: str) -> bool:
        """Return whether pytest would collect something with this name as a test."""
        patterns = [*self.config.getini("python_classes"), *self.config.getini("python_functions")]
        return any(name.startswith(pattern) or fnmatch.fnmatch(name, pattern) for pattern in patterns)

    def _is_importable(self, path: str) -> bool:
        """Return whether other modules can import a file, unlike one of several conftests with the same module name."""
        known: list[Source] = [source for source in self.types.sources if source.path == path]
        names = [source.module for source in self.types.sources]
        return all(names.count(source.module) == 1 and _is_in_packages(source) for source in known) and (
            Path(path).name != "conftest.py" or any("." in source.module for source in known)
        )

    def _annotate(self, path: Path, wanted: list[Annotation]) -> Iterator[str]:
        from looprig.check.rewrite import rewritten  # noqa: PLC0415 - libcst

        before = path.read_bytes()
        after = rewritten(before, wanted, line_length(self.root))
        compile(after, path, "exec", dont_inherit=True)
        name = shown_path(str(path), self.root)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(before).readline)
        old, new = (text.decode(encoding).splitlines() for text in (before, after))
        yield from difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the difference, and only then write it."""
        super().pytest_terminal_summary(terminalreporter)
        writer = SafeWriter(self.config, self._made)
        if self._is_writing and self._made:
            writer.write()
        for line in (*self._conclusion(writer.taken_back), *self.error_count()):
            terminalreporter.write_line(line)

    def _conclusion(self, taken_back: Mapping[Annotation, str]) -> Iterator[str]:
        left = [*self._left, *(Left(each.spot, each.name, why) for each, why in taken_back.items() if each.name)]
        for each in sorted(left, key=lambda each: each.spot):
            place = f"{shown_path(each.spot.path, self.root)}:{each.spot.line}:{each.spot.column}"
            yield f"{place}: {each.name} is left: {each.reason}"
        made = [each for its in self._made.values() for each in its if each not in taken_back]
        returns = sum(each.returns for each in made)
        also = f" and {many(returns, 'return type')}" if returns else ""
        files = len({each.spot.path for each in made})
        what = f"{many(len(made) - returns, 'parameter')}{also} in {many(files, 'file')}"
        if self._is_writing or not made:
            yield f"Annotated {what}."
        else:
            yield f"Would annotate {what}. To write it: pytest --annotate-fixtures=write"


def _is_in_packages(source: Source) -> bool:
    """Return whether checkers use the same module name for a file as pytest: each folder in it is a package."""
    base = base_of(source.path, source.module)
    folder = Path(source.path).parent
    while base is not None and folder != base:
        if not (folder / "__init__.py").is_file():
            return False
        folder = folder.parent
    return base is not None


def _unwrap(function: Callable[..., Any]) -> Unwrap:
    """Return how a fixture provides its value: by `yield` or `return`."""
    if inspect.isgeneratorfunction(function):
        return "yield"
    return "async yield" if inspect.isasyncgenfunction(function) else "value"
