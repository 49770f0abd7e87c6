"""Removal of plugins that looprig replaces from `pytest_plugins`."""

import ast
from typing import Final, final

import libcst as cst

from looprig.migrate.rewriting import File
from looprig.migrate.statements import without_elements, without_statements

__all__ = ["without_plugins"]

_NEEDLESS: Final = frozenset({"pytest_asyncio", "pytest_asyncio.plugin", "anyio", "anyio.pytest_plugin"})


def without_plugins(file: File) -> cst.Module:
    """Return a module that loads no other async plugin."""
    return file.module.visit(_Plugins()) if b"pytest_plugins" in file.text else file.module


@final
class _Plugins(cst.CSTTransformer):
    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        value = updated_node.value
        if not _is_of_plugins(updated_node):
            return updated_node
        if isinstance(value, cst.List | cst.Tuple):
            return updated_node.with_changes(value=without_elements(value, _is_needless))
        return updated_node.with_changes(value=cst.Tuple([])) if _is_needless(value) else updated_node

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        return without_statements(updated_node, _is_empty)


def _is_of_plugins(node: cst.Assign) -> bool:
    return [each.target.value for each in node.targets if isinstance(each.target, cst.Name)] == ["pytest_plugins"]


def _is_needless(value: cst.BaseExpression) -> bool:
    return isinstance(value, cst.SimpleString) and ast.literal_eval(value.value) in _NEEDLESS


def _is_empty(statement: cst.BaseSmallStatement) -> bool:
    match statement:
        case cst.Assign(value=cst.List(elements=[]) | cst.Tuple(elements=[])):
            return _is_of_plugins(statement)
        case _:
            return False
