"""The declarations in all files of a suite: its tests and fixtures, and the fixtures that each of them uses.

Reads the text of files. Does not import them, so it knows neither the fixtures of plugins nor names made at run time.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Final, final

from looprig.scopes import SCOPE_NAMES

__all__ = ["Fixture", "Function", "Suite"]

# Most files of a project have no tests, and parsing takes most of the time.
_OF_TESTS: Final = re.compile(rb"\bdef test|\bclass Test|pytest|fixture|anyio_backend|aiohttp_client|aiomisc")
AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A function at the top level of a file or in a class: a test, a fixture, or another one."""

    path: PurePath
    class_name: str
    node: AnyFunction

    @property
    def is_async(self) -> bool:
        """Whether the function is an `async def`."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the fixtures that it requests."""
        arguments = self.node.args
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        return tuple(names[1:] if self.class_name and names[:1] == ["self"] else names)

    @property
    def is_test(self) -> bool:
        """Whether pytest treats the function as a test, judging by its name."""
        return self.node.name.startswith("test")


@final
@dataclass(frozen=True, slots=True)
class Fixture:
    """A fixture. `options` are the keyword arguments of its decorator."""

    name: str
    function: Function
    options: Mapping[str, ast.expr]

    @property
    def scope(self) -> str:
        """The scope, or "" if it is computed at run time."""
        given = self.options.get("scope")
        if given is None:
            return SCOPE_NAMES[0]
        return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""

    @property
    def is_autouse(self) -> bool:
        """Whether every test that can see the fixture uses it."""
        given = self.options.get("autouse")
        return isinstance(given, ast.Constant) and given.value is True


@final
class Suite:
    """The files of a suite, by path. A file that isn't valid Python, or has no tests or fixtures, counts as empty."""

    def __init__(self, files: Mapping[PurePath, bytes]) -> None:
        self.trees: Final = {
            path: _parsed(text if _OF_TESTS.search(text) else b"")
            for path, text in files.items()
            if path.suffix == ".py"
        }
        self.functions: Final = [each for path, tree in self.trees.items() for each in _functions(path, tree)]
        self._in_file: dict[PurePath, list[Function]] = {}
        for function in self.functions:
            self._in_file.setdefault(function.path, []).append(function)
        self.fixtures: Final[dict[str, list[Fixture]]] = {}
        for function in self.functions:
            found = _fixture(function)
            if found is not None:
                self.fixtures.setdefault(found.name, []).append(found)
        self._fixture_nodes = {id(each.function.node) for its in self.fixtures.values() for each in its}

    def is_fixture(self, function: Function) -> bool:
        """Return whether a function is a fixture."""
        return id(function.node) in self._fixture_nodes

    def tests(self, path: PurePath | None = None) -> Iterator[Function]:
        """Yield the tests of all files, or of one."""
        functions = self.functions if path is None else self._in_file.get(path, ())
        return (each for each in functions if each.is_test and not self.is_fixture(each))

    def find(self, name: str, path: PurePath, class_name: str = "") -> Fixture | None:
        """Return the nearest fixture with a name that a file can see: in the class, the file, or a conftest above."""
        best: tuple[int, Fixture] | None = None
        for each in self.fixtures.get(name, ()):
            distance = _distance(each.function, path, class_name)
            if distance is not None and (best is None or distance <= best[0]):
                best = (distance, each)
        return None if best is None else best[1]

    def closure(self, function: Function) -> dict[str, Fixture]:
        """Return the fixtures of the suite that a test or fixture uses, directly or through others."""
        waiting = [*function.parameters, *_used(function, self.trees[function.path])]
        for its in self.fixtures.values():
            waiting += [
                each.name
                for each in its
                if each.is_autouse and _distance(each.function, function.path, function.class_name) is not None
            ]
        found: dict[str, Fixture] = {}
        while waiting:
            name = waiting.pop()
            if name not in found and (fixture := self.find(name, function.path, function.class_name)) is not None:
                found[name] = fixture
                waiting += fixture.function.parameters
        return found

    def users(self, fixture: Fixture) -> list[Function]:
        """Return the functions that have a parameter for a fixture."""
        return [
            each
            for each in self.functions
            if fixture.name in each.parameters and self.find(fixture.name, each.path, each.class_name) is fixture
        ]


@cache
def _parsed(text: bytes) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _functions(path: PurePath, tree: ast.Module) -> Iterator[Function]:
    for node, holder in _members(tree, ""):
        if isinstance(node, AnyFunction):
            yield Function(path, holder, node)


def _members(holder: ast.AST, name: str) -> Iterator[tuple[ast.AST, str]]:
    """Yield the statements in a module or class, including those in the branches of `if` and `try`."""
    for node in ast.iter_child_nodes(holder):
        if isinstance(node, ast.ClassDef):
            yield from _members(node, f"{name}.{node.name}" if name else node.name)
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            yield from _members(node, name)
        else:
            yield node, name


def _fixture(function: Function) -> Fixture | None:
    for decorator in function.node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        named = call.func if call is not None else decorator
        last = named.attr if isinstance(named, ast.Attribute) else named.id if isinstance(named, ast.Name) else ""
        if last in {"fixture", "async_fixture", "yield_fixture"}:
            options = {each.arg: each.value for each in (call.keywords if call is not None else ()) if each.arg}
            given = options.get("name")
            is_named = isinstance(given, ast.Constant) and isinstance(given.value, str)
            return Fixture(str(given.value) if is_named else function.node.name, function, options)  # type: ignore[union-attr]
    return None


def _distance(found: Function, path: PurePath, class_name: str) -> int | None:
    """Return the distance of a fixture from a file or class that can see it, or `None` if it can't."""
    if found.path == path:
        if not found.class_name:
            return 1
        return 0 if f"{class_name}.".startswith(f"{found.class_name}.") else None
    if found.path.name == "conftest.py" and path.is_relative_to(found.path.parent):
        return 2 + len(path.parts) - len(found.path.parts)
    return None


def _used(function: Function, tree: ast.Module) -> Iterator[str]:
    """Yield the names in the `usefixtures` marks of a function, its class and its file."""
    holders: list[ast.AST] = [*function.node.decorator_list]
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef) and function.class_name.partition(".")[0] == statement.name:
            holders += statement.decorator_list
        elif isinstance(statement, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "pytestmark" for t in statement.targets
        ):
            holders.append(statement.value)
    for holder in holders:
        for node in ast.walk(holder):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "usefixtures":
                yield from (
                    each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
                )
