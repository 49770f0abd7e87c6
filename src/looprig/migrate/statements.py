"""Removal of statements, decorators and list elements, such that the rest looks as if they had never been there.

Invariants:
1. A comment above a removed statement stays, unless it is about that statement.
2. The blank lines between the remaining statements stay as they were.
3. A body that would be empty gets a `pass`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import libcst as cst

__all__ = [
    "blank_lines",
    "with_last_comma",
    "without_decorators",
    "without_elements",
    "without_statements",
    "without_statements_inside",
]

_ABOUT_MARKS: Final = re.compile(r"asyncio|anyio|coroutine|\bmark", re.IGNORECASE)
_PRAGMA: Final = re.compile(r"#\s*(noqa|type:|pyright:|pylint:|isort:|ruff:|pragma)")


def without_statements(module: cst.Module, is_needless: Callable[[cst.BaseSmallStatement], bool]) -> cst.Module:
    """Return a module without some of its top-level statements."""
    kept, pending = _kept(module.body, is_needless)
    if kept and kept[0] is not module.body[0] and not _same_lines(kept[0], module.body[0]):
        kept[0] = kept[0].with_changes(leading_lines=_trim(_lines(kept[0])))
    footer = [*pending, *module.footer] if any(each.comment for each in pending) else module.footer
    return module.with_changes(body=kept, footer=footer)


def without_statements_inside(
    block: cst.IndentedBlock, is_needless: Callable[[cst.BaseSmallStatement], bool]
) -> cst.IndentedBlock:
    """Return a block without some of its statements."""
    kept, pending = _kept(block.body, is_needless)
    if not kept:
        kept.append(cst.SimpleStatementLine([cst.Pass()]))
    elif not _same_lines(kept[0], block.body[0]):
        kept[0] = kept[0].with_changes(leading_lines=_trim(_lines(kept[0])))
    footer = [*pending, *block.footer] if any(each.comment for each in pending) else block.footer
    return block.with_changes(body=kept, footer=footer)


def _kept(
    body: Sequence[cst.CSTNode], is_needless: Callable[[cst.BaseSmallStatement], bool]
) -> tuple[list[Any], list[cst.EmptyLine]]:
    """Return the remaining statements, and the lines above removed statements at the end."""
    kept: list[Any] = []
    pending: list[cst.EmptyLine] = []
    is_after_gap = False
    for statement in body:
        after = _without(statement, is_needless)
        if after is None:
            lines = [each for each in _lines(statement) if not _is_about_marks(each)]
            pending = _joined(pending, lines) if is_after_gap else lines
            is_after_gap = True
            continue
        if is_after_gap:
            after = after.with_changes(leading_lines=_joined(pending, _lines(after)))
            pending, is_after_gap = [], False
        kept.append(after)
    return kept, pending


def _same_lines(one: Any, other: Any) -> bool:
    return _lines(one) == _lines(other)


def _without(statement: Any, is_needless: Callable[[cst.BaseSmallStatement], bool]) -> Any:
    """Return a line of statements without the needless ones, or `None` if it has no others."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return statement
    kept = [each for each in statement.body if not is_needless(each)]
    if len(kept) == len(statement.body):
        return statement
    if not kept:
        return None
    kept[-1] = kept[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
    return statement.with_changes(body=kept)


def _lines(statement: Any) -> list[cst.EmptyLine]:
    return list(getattr(statement, "leading_lines", ()))


def _joined(above: Sequence[cst.EmptyLine], below: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Return the lines above a statement that moves up: the comments of both places, and the larger of the two gaps."""
    gap = max(_gap(above), _gap(below))
    blank = cst.EmptyLine(indent=False)
    return [blank] * gap + list(above)[_gap(above) :] + list(below)[_gap(below) :]


def _gap(lines: Sequence[cst.EmptyLine]) -> int:
    return next((index for index, each in enumerate(lines) if each.comment is not None), len(lines))


def blank_lines(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Return the blank lines above a statement and its comments."""
    return list(lines)[: _gap(lines)]


def _trim(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    return list(lines)[_gap(lines) :]


def _is_about_marks(line: cst.EmptyLine) -> bool:
    return line.comment is not None and bool(_ABOUT_MARKS.search(line.comment.value))


def without_decorators(
    node: cst.FunctionDef | cst.ClassDef, is_needless: Callable[[cst.Decorator], bool]
) -> cst.FunctionDef | cst.ClassDef:
    """Return a function or class without some of its decorators."""
    kept: list[cst.Decorator] = []
    pending: list[cst.EmptyLine] = []
    for each in node.decorators:
        if is_needless(each):
            pending += [line for line in each.leading_lines if line.comment is not None]
            comment = each.trailing_whitespace.comment
            if comment is not None and not _PRAGMA.match(comment.value):
                pending.append(cst.EmptyLine(comment=comment))
        else:
            kept.append(each.with_changes(leading_lines=[*pending, *each.leading_lines]) if pending else each)
            pending = []
    if len(kept) == len(node.decorators):
        return node
    return node.with_changes(decorators=kept, lines_after_decorators=[*pending, *node.lines_after_decorators])


def with_last_comma(kept: list[Any], before: Sequence[Any]) -> None:
    """End the last of the kept elements with a comma only if the last element ended with one before."""
    if kept and kept[-1] is not before[-1]:
        kept[-1] = kept[-1].with_changes(comma=before[-1].comma)


def without_elements(
    node: cst.List | cst.Tuple | cst.Set, is_needless: Callable[[cst.BaseExpression], bool]
) -> cst.List | cst.Tuple | cst.Set:
    """Return a list without some of its elements. The last one ends with a comma only if the original last one did."""
    kept = [each for each in node.elements if not is_needless(each.value)]
    if len(kept) == len(node.elements):
        return node
    with_last_comma(kept, node.elements)
    return node.with_changes(elements=kept)
