"""The removal of statements, decorators and list elements, so that what stays reads as if they had never been there.

Invariants:
1. A comment above what is removed stays, unless it is about what is removed.
2. Two statements stay as far apart as they were.
3. A body that would be empty gets a `pass`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import libcst as cst

__all__ = ["without_decorators", "without_elements", "without_statements"]

_T = TypeVar("_T", cst.Module, cst.IndentedBlock)
_ABOUT_MARKS: Final = re.compile(r"asyncio|anyio|coroutine|\bmark", re.IGNORECASE)
_PRAGMA: Final = re.compile(r"#\s*(noqa|type:|pyright:|pylint:|isort:|ruff:|pragma)")


def without_statements(block: _T, is_needless: Callable[[cst.BaseSmallStatement], bool]) -> _T:
    """Return a block without some of its statements."""
    kept: list[Any] = []
    pending: list[cst.EmptyLine] | None = None
    for statement in block.body:
        after = _without(statement, is_needless)
        if after is None:
            lines = [each for each in _lines(statement) if not _is_about_marks(each)]
            pending = _joined(pending, lines)
            continue
        if pending is not None:
            lines = _joined(pending, _lines(after))
            after = after.with_changes(
                leading_lines=lines if kept or not isinstance(block, cst.Module) else _trim(lines)
            )
            pending = None
        kept.append(after)
    if len(kept) == len(block.body):
        return block if all(one is other for one, other in zip(kept, block.body, strict=True)) else _put(block, kept)
    if pending and any(each.comment for each in pending):
        block = block.with_changes(footer=[*pending, *block.footer])
    if not kept and isinstance(block, cst.IndentedBlock):
        kept.append(cst.SimpleStatementLine([cst.Pass()]))
    elif kept and isinstance(block, cst.IndentedBlock) and block.body[0] is not kept[0]:
        kept[0] = kept[0].with_changes(leading_lines=_trim(_lines(kept[0])))
    return _put(block, kept)


def _put(block: _T, body: Sequence[Any]) -> _T:
    return block.with_changes(body=body)


def _without(statement: Any, is_needless: Callable[[cst.BaseSmallStatement], bool]) -> Any:
    """Return a line of statements without the needless ones, and `None` if it has no others."""
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


def _joined(above: Sequence[cst.EmptyLine] | None, below: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Return the lines above a statement that moves up: the comments of both, and the wider of the two gaps."""
    above = list(above or ())
    gap = max(_gap(above), _gap(below))
    blank = cst.EmptyLine(indent=False)
    return [blank] * gap + above[_gap(above) :] + list(below)[_gap(below) :]


def _gap(lines: Sequence[cst.EmptyLine]) -> int:
    return next((index for index, each in enumerate(lines) if each.comment is not None), len(lines))


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


def without_elements(
    node: cst.List | cst.Tuple | cst.Set, is_needless: Callable[[cst.BaseExpression], bool]
) -> cst.List | cst.Tuple | cst.Set:
    """Return a list without some of its elements. The comma of the last one stays as it was."""
    kept = [each for each in node.elements if not is_needless(each.value)]
    if len(kept) == len(node.elements):
        return node
    if kept and kept[-1] is not node.elements[-1]:
        is_single = len(kept) == 1 and isinstance(node, cst.Tuple)
        kept[-1] = kept[-1].with_changes(comma=cst.Comma() if is_single else node.elements[-1].comma)
    return node.with_changes(elements=kept)
