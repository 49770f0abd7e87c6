"""The expressions of annotations: removing quotes, reading dotted names, and renaming.

Does not find the origin of names (`names` does).
"""

import ast
import copy
from collections.abc import Mapping
from typing import final

__all__ = ["InexpressibleError", "dotted", "last_of", "parts_of", "plain", "renamed", "unquoted"]


class InexpressibleError(Exception):
    """A type that has no meaning outside the function or class where it is written."""


@final
class _Renaming(ast.NodeTransformer):
    """A replacement of some names by others, which need not be valid Python names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self._names.get(node.id, node.id), ast.Load())

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        found = self._names.get(ast.unparse(node))
        return node if found is None else ast.Name(found, ast.Load())


@final
class _Unquoting(ast.NodeTransformer):
    """Annotations without quotes, including those of arguments."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return unquoted(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return node if last_of(node.value) in {"Literal", "Annotated"} else self.generic_visit(node)  # type: ignore[return-value]


def renamed(node: ast.expr, names: Mapping[str, str]) -> ast.expr:
    """Replace some names in an expression, in place, by others, which need not be valid Python names, and return it."""
    found: ast.expr = _Renaming(names).visit(node)
    return found


def plain(node: ast.expr) -> ast.expr:
    """Return a copy of an annotation without quotes, including those of its arguments.

    Raises:
        InexpressibleError: the text in quotes isn't an expression.
    """
    found: ast.expr = _Unquoting().visit(unquoted(copy.deepcopy(node)))
    return found


def unquoted(node: ast.expr) -> ast.expr:
    """Return an annotation without quotes around it.

    Raises:
        InexpressibleError: the text in quotes isn't an expression.
    """
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return node
    try:
        inner = ast.parse(node.value.strip(), mode="eval").body
    except SyntaxError:
        raise InexpressibleError(f"{node.value!r} isn't a type") from None
    return unquoted(inner)


def parts_of(node: ast.expr) -> tuple[str, ...] | None:
    """Return the parts of a dotted name, or `None` for anything else."""
    node = unquoted(node)
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := parts_of(node.value)) is not None:
        return (*before, node.attr)
    return None


def last_of(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    parts = parts_of(node)
    return parts[-1] if parts else ""


def dotted(parts: tuple[str, ...]) -> ast.expr:
    """Return the expression of a dotted name."""
    found: ast.expr = ast.Name(parts[0], ast.Load())
    for part in parts[1:]:
        found = ast.Attribute(found, part, ast.Load())
    return found
