"""Removal of imports that the rewriting left unused.

Invariant: an import that was unused before stays, unless it imports pytest-asyncio just to load it.
"""

import ast
import re
from collections.abc import Sequence
from typing import Final, final

import libcst as cst

from looprig.migrate.names import Names, imported
from looprig.migrate.statements import with_last_comma, without_statements, without_statements_inside

__all__ = ["without_imports", "without_unused_imports"]

_PLUGINS: Final = frozenset({"pytest_asyncio", "anyio.pytest_plugin", "pytest_aiohttp"})


def without_unused_imports(before: bytes, after: bytes, module: cst.Module) -> cst.Module:
    """Return a module whose text is `after`, without the imports that it used before but doesn't use now."""
    had, has = _used(before), _used(after)
    gone = {
        name
        for name, origin in Names(after).origins.items()
        if name not in has and (name in had or origin in _PLUGINS or origin.partition(".")[0] == "pytest_asyncio")
    }
    return without_imports(module, gone) if gone else module


def without_imports(module: cst.Module, names: set[str]) -> cst.Module:
    """Return a module without the imports that bind some names."""
    return module.visit(_Unused(names))


def _used(text: bytes) -> set[str]:
    """Return the names that a file uses, in strings too. Python's own parser is much faster than libcst's nodes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(re.findall(r"\w+", node.value))  # an annotation in quotes, or `__all__`
    return names


@final
class _Unused(cst.CSTTransformer):
    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self._names: Final = names

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        kept = self._kept(original_node, updated_node.names)
        return updated_node if kept is None else updated_node.with_changes(names=kept)

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        kept = self._kept(original_node, updated_node.names)
        return updated_node if kept is None else updated_node.with_changes(names=kept)

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> cst.BaseSuite:
        return without_statements_inside(updated_node, self._is_unused)

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        return without_statements(updated_node, self._is_unused)

    def _kept(
        self, before: cst.Import | cst.ImportFrom, names: Sequence[cst.ImportAlias]
    ) -> list[cst.ImportAlias] | None:
        """Return the used names of an import, or `None` if all or none are used, so that it stays or goes whole."""
        pairs = list(zip(names, imported(before), strict=True))
        kept = [alias for alias, (name, _) in pairs if name not in self._names]
        if not kept or len(kept) == len(pairs):
            return None
        with_last_comma(kept, names)
        return kept

    def _is_unused(self, statement: cst.BaseSmallStatement) -> bool:
        if not isinstance(statement, cst.Import | cst.ImportFrom):
            return False
        names = [name for name, _ in imported(statement)]
        return bool(names) and all(name in self._names for name in names)
