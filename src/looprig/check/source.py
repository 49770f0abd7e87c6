"""Source files: their functions and classes, and the origins of the names in them.

Does not run code: this reads text, since annotations may use names that exist only for type checkers.

Invariants:
1. A file is read once in a run. The bodies of its functions are not kept, since they are large and rarely needed.
2. Lines and columns are counted from 1, columns in characters.
"""

import ast
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

__all__ = ["Binding", "Function", "Source", "Sources", "Spot"]

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPOUND: Final = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)


@final
@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in a file. `line` and `column` are counted from 1."""

    path: str
    line: int
    column: int = 1


@final
@dataclass(frozen=True, slots=True)
class Binding:
    """The binding of a name: `from module import name`, `import module` (no `name`), or a definition in the file."""

    module: str | None = None
    name: str = ""
    for_checkers: bool = False  # under `if TYPE_CHECKING`
    is_relative: bool = False


@final
@dataclass(frozen=True, slots=True)
class Function:
    """The source of a function, without its body. `scope` has the classes around it, or is `None` in a function."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    scope: tuple[str, ...] | None

    def parameter(self, name: str) -> ast.arg | None:
        """Return the parameter of this name, if a fixture can provide it."""
        arguments = self.node.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        return next((each for each in every if each.arg == name), None)


@final
@dataclass(slots=True)
class Source:
    """One file. `module` is its name when imported, `namespace` its globals at run time."""

    path: str
    module: str
    text: str
    namespace: Mapping[str, Any]
    lines: list[str] = field(default_factory=list[str])
    functions: dict[int, Function] = field(default_factory=dict[int, Function])
    classes: dict[str, ast.ClassDef] = field(default_factory=dict[str, ast.ClassDef])
    bindings: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    stars: list[str] = field(default_factory=list[str])
    _tree: ast.Module | None = None
    _scopes: dict[tuple[str, ...], dict[str, list[Binding]]] = field(
        default_factory=dict[tuple[str, ...], dict[str, list[Binding]]]
    )

    def __post_init__(self) -> None:
        tree = ast.parse(self.text)
        # Split lines as the parser does: `splitlines` on text would also split at a form feed.
        self.lines += self.text.split("\n")
        for name, binding in _bindings(tree.body, self.package):
            if name == "*":
                self.stars.append(binding.module or "")
            else:
                self.bindings.setdefault(name, []).append(binding)
        for node, scope in list(_definitions(tree.body, ())):
            if not isinstance(node, ast.ClassDef):
                self.functions[_first_line(node)] = Function(node, scope)
                node.body = []
            elif scope is not None:
                self.classes.setdefault(".".join((*scope, node.name)), node)

    def tree(self) -> ast.Module:
        """Return the tree of the whole file, including bodies. It is parsed on first use."""
        if self._tree is None:
            self._tree = ast.parse(self.text)
        return self._tree

    def whole(self, function: Function) -> ast.AST:
        """Return the syntax tree of a function, including its body."""
        line = _first_line(function.node)
        found = (node for node, _ in _definitions(self.tree().body, ()) if _first_line(node) == line)
        return next(found, function.node)

    @property
    def package(self) -> str:
        """The package that relative imports in the file start from."""
        found = self.namespace.get("__package__")
        return found if isinstance(found, str) else self.module.rpartition(".")[0]

    def imports(self) -> Iterator[str]:
        """Yield the modules that the file imports by their full names."""
        for binding in (each for bindings in self.bindings.values() for each in bindings):
            if binding.module and not binding.is_relative:
                yield binding.module

    def names_of_class(self, scope: tuple[str, ...]) -> dict[str, list[Binding]]:
        """Return the names that the body of a class binds."""
        if scope not in self._scopes:
            node = self.classes.get(".".join(scope))
            found: dict[str, list[Binding]] = {}
            for name, binding in _bindings(node.body if node is not None else [], self.package):
                found.setdefault(name, []).append(binding)
            self._scopes[scope] = found
        return self._scopes[scope]

    def spot(self, node: ast.AST) -> Spot:
        """Return the place of a node."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if not text.isascii():  # the parser counts bytes
            column = len(text.encode()[:column].decode(errors="replace"))
        return Spot(self.path, line, column + 1)

    def spot_of_parameter(self, line: int, name: str) -> Spot | None:
        """Return the place of a parameter or field of this name, in the definition that starts on a line.

        The line may be that of a decorator. Without such a parameter, look for a string with that name in a decorator,
        or in a mark of the module.
        """
        function = self.functions.get(line)
        if function is not None:
            argument = function.parameter(name)
            decorators = (self.spot_of_text(each, name) for each in function.node.decorator_list)
            found = next(filter(None, decorators), None) or self.spot_of_text(self.tree(), name)
            return found if argument is None else self.spot(argument)
        for node in self.classes.values():
            if _first_line(node) == line:
                fields = (each for each in node.body if isinstance(each, ast.AnnAssign))
                return next((self.spot(each) for each in fields if ast.unparse(each.target) == name), None)
        return None

    def spot_of_text(self, node: ast.AST, text: str) -> Spot | None:
        """Return the place of a string with exactly this text in a node."""
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and each.value == text:
                return self.spot(each)
        return None


@final
class Sources:
    """The source files of a run, each read once."""

    def __init__(self) -> None:
        self._files: dict[str, Source | None] = {}

    def read(self, path: str, module: str, namespace: Mapping[str, Any] | None = None) -> Source | None:
        """Return a file, or `None` if it can't be read or isn't Python."""
        if path not in self._files:
            self._files[path] = _read(path, module, namespace or {})
        return self._files[path]

    def __iter__(self) -> Iterator[Source]:
        return iter([source for source in self._files.values() if source is not None])


def _read(path: str, module: str, namespace: Mapping[str, Any]) -> Source | None:
    try:
        with tokenize.open(path) as file:
            text = file.read()
        return Source(path, module, text, namespace)
    except (OSError, SyntaxError, ValueError):
        return None


def _definitions(
    body: Iterable[ast.stmt], scope: tuple[str, ...] | None
) -> Iterator[tuple[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, tuple[str, ...] | None]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node, scope
            yield from _definitions(node.body, None if scope is None else (*scope, node.name))
        elif isinstance(node, _FUNCTIONS):
            yield node, scope
            yield from _definitions(node.body, None)
        elif isinstance(node, _COMPOUND):
            for inner, _ in _inner(node):
                yield from _definitions(inner, scope)


def _bindings(body: list[ast.stmt], package: str, *, for_checkers: bool = False) -> Iterator[tuple[str, Binding]]:
    """Return the names that statements bind, including statements in `if`, `try` and the like."""
    for node in body:
        match node:
            case ast.Import():
                for alias in node.names:
                    # `import a.b` binds `a`; `b` is then looked up on it.
                    yield alias.asname or alias.name, Binding(alias.name, "", for_checkers)
            case ast.ImportFrom():
                module = _absolute(node, package)
                for alias in node.names:
                    yield alias.asname or alias.name, Binding(module, alias.name, for_checkers, node.level > 0)
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name, Binding()
            case _:
                yield from ((name, Binding()) for name in _assigned(node))
                if not isinstance(node, _COMPOUND):
                    continue
                for inner, is_for_checkers in _inner(node):
                    yield from _bindings(inner, package, for_checkers=for_checkers or is_for_checkers)


def _inner(node: ast.stmt) -> Iterator[tuple[list[ast.stmt], bool]]:
    """Yield the blocks of a compound statement, and whether they are under `if TYPE_CHECKING`."""
    is_for_checkers = isinstance(node, ast.If) and _is_for_checkers(node.test)
    yield getattr(node, "body", []), is_for_checkers
    yield from ((getattr(node, part, []), False) for part in ("orelse", "finalbody"))
    yield from ((handler.body, False) for handler in getattr(node, "handlers", []))
    yield from ((case.body, False) for case in getattr(node, "cases", []))


def _first_line(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


def _assigned(node: ast.stmt) -> Iterator[str]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.For):
        targets = [node.target]
    elif isinstance(getattr(node, "name", None), ast.Name):  # type X = ..., from Python 3.12 on
        targets = [node.name]  # type: ignore[attr-defined]
    for target in targets:
        for each in ast.walk(target):
            if isinstance(each, ast.Name):
                yield each.id


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    base = parts[: len(parts) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def _is_for_checkers(test: ast.expr) -> bool:
    return re.fullmatch(r"(\w+\.)?TYPE_CHECKING", ast.unparse(test)) is not None
