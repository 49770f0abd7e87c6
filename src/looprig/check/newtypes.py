"""Finds NewTypes in annotations. A value does not show at run time whether it is of a NewType.

Invariant: a name is looked up at run time first, and then in the source of the file that binds it, since names under
`if TYPE_CHECKING` exist only there.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, cast, final

from looprig.check.names import UnresolvedError, origin_of
from looprig.check.source import Source, Sources

__all__ = ["NewTypes"]

_DEEPEST: Final = 6


@final
class NewTypes:
    """The NewTypes of a run."""

    def __init__(self, file_of: Callable[[str], str | None]) -> None:
        """Start without any. `file_of` returns the file of a module."""
        self._file_of = file_of
        self._sources = Sources()

    def are_in(self, node: ast.expr, source: Source, scope: tuple[str, ...] = (), depth: int = 0) -> bool:
        """Return whether an annotation in a file names a NewType, directly or through aliases."""
        return depth < _DEEPEST and any(self._is_one(parts, source, scope, depth) for parts in _names(node))

    def _is_one(self, parts: tuple[str, ...], source: Source, scope: tuple[str, ...], depth: int) -> bool:
        try:
            origin, rest = origin_of(parts, source, scope)
        except UnresolvedError:
            return False
        if origin is None:
            return False
        names = (*([origin.name] if origin.name else []), *rest)
        value: Any = sys.modules.get(origin.module)
        if value is None and origin.module == source.module:
            value = _Namespace(source)
        for name in names:
            value = getattr(value, name, None)
        if value is not None:
            return _holds_new_types(value, 0)
        if origin.module == source.module:
            home: Source | None = source
        else:
            path = self._file_of(origin.module)
            home = None if path is None else self._sources.read(path, origin.module)
        return home is not None and len(names) == 1 and self._is_defined(names[0], home, depth + 1)

    def _is_defined(self, name: str, source: Source, depth: int) -> bool:
        """Return whether a file binds a name to a NewType."""
        for value in _values(source.tree(), name):
            if isinstance(value, ast.Call):
                return ast.unparse(value.func).rpartition(".")[2] == "NewType"
            return self.are_in(value, source, (), depth)
        is_imported = any(binding.module is not None for binding in source.bindings.get(name, ()))
        return is_imported and depth < _DEEPEST and self._is_one((name,), source, (), depth)


@final
class _Namespace:
    """The globals of a file whose module isn't the one in `sys.modules` under its name."""

    def __init__(self, source: Source) -> None:
        self.__dict__.update(source.namespace)


def _names(node: ast.AST) -> Iterator[tuple[str, ...]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            yield from _names(ast.parse(node.value.strip(), mode="eval").body)
        except SyntaxError:
            return
    elif isinstance(node, ast.Name):
        yield (node.id,)
    elif isinstance(node, ast.Attribute):
        yield from ((*parts, node.attr) for parts in _names(node.value))
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names(child)


def _values(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                yield value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                yield value
            case _ if type(node).__name__ == "TypeAlias" and getattr(node, "name").id == name:  # noqa: B009 - Python 3.12
                yield getattr(node, "value")  # noqa: B009
            case _:
                pass


def _holds_new_types(annotation: Any, depth: int) -> bool:
    if hasattr(annotation, "__supertype__"):
        return True
    found: object = getattr(annotation, "__args__", ())
    arguments = cast("tuple[object, ...]", found) if isinstance(found, tuple) else ()
    return depth < _DEEPEST and any(_holds_new_types(each, depth + 1) for each in arguments)
