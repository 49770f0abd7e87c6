"""Removal of the fixture `anyio_backend` if nothing needs it, since looprig runs on asyncio.

Invariant: it stays if any file of the suite has anyio's mark, or uses the fixture's value.
"""

import ast
from functools import lru_cache
from typing import Final, final

import libcst as cst

from looprig.migrate.backends import NAME, returns_asyncio
from looprig.migrate.rewriting import File
from looprig.migrate.statements import with_last_comma, without_statements, without_statements_inside
from looprig.migrate.suite import Suite

__all__ = ["without_backend"]

_MARK: Final = "anyio"


def without_backend(file: File) -> cst.Module:
    """Return a module without needless `anyio_backend` parameters and fixtures."""
    if NAME.encode() not in file.text or not _is_plain(file.suite):
        return file.module
    return file.module.visit(_Backend())


@lru_cache(maxsize=1)
def _is_plain(suite: Suite) -> bool:
    """Return whether a suite doesn't say anything about backends except that they are asyncio."""
    fixtures = suite.fixtures.get(NAME, ())
    if not all(returns_asyncio(each) for each in fixtures) or not fixtures:
        return False
    return not any(_uses(tree) for tree in suite.trees.values())


def _uses(tree: ast.Module) -> bool:
    """Return whether a file has anyio's mark, or uses the backend's value."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=attr, value=ast.Attribute(attr="mark") | ast.Name(id="mark")) if attr == _MARK:
                return True
            case ast.Name(id=name) if name == NAME:
                return True
            case ast.Constant(value=str() as text) if NAME in text:
                return True
            case ast.arg(arg="anyio_backend_name" | "anyio_backend_options"):
                return True
            case _:
                pass
    return False


@final
class _Backend(cst.CSTTransformer):
    def leave_Parameters(self, original_node: cst.Parameters, updated_node: cst.Parameters) -> cst.Parameters:
        kept = [each for each in updated_node.params if each.name.value != NAME]
        if len(kept) == len(updated_node.params):
            return updated_node
        with_last_comma(kept, updated_node.params)
        return updated_node.with_changes(params=kept)

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.BaseStatement:
        # The remaining statement is found and removed by `leave_Module`, with the lines around it.
        is_backend = original_node.name.value == NAME and bool(original_node.decorators)
        if not is_backend:
            return updated_node
        return cst.SimpleStatementLine([cst.Expr(cst.Name(NAME))], leading_lines=original_node.leading_lines)

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        return without_statements(updated_node, _is_gone)

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> cst.BaseSuite:
        return without_statements_inside(updated_node, _is_gone)


def _is_gone(statement: cst.BaseSmallStatement) -> bool:
    match statement:
        case cst.Expr(value=cst.Name(value=name)):
            return name == NAME
        case _:
            return False
