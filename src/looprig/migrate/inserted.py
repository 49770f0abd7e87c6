"""Insertion of imports, in sorted order."""

import sys
from collections.abc import Sequence
from typing import Any, Final, Literal

import libcst as cst

from looprig.migrate.names import dotted
from looprig.migrate.statements import blank_lines

__all__ = ["with_import"]

_THIRD_PARTY: Final = frozenset({"aiohttp", "aiomisc", "anyio", "pytest", "pytest_asyncio", "looprig"})


def with_import(module: cst.Module, home: str, name: str = "") -> cst.Module:
    """Return a module with `import home` or `from home import name`. Extend an existing import if possible."""
    body: list[Any] = list(module.body)
    for index, statement in enumerate(body):
        found = _single(statement)
        if isinstance(found, cst.Import) and not name and any(_plain(each) == home for each in found.names):
            return module
        if (
            isinstance(found, cst.ImportFrom)
            and name
            and _home(found) == home
            and not isinstance(found.names, cst.ImportStar)
        ):
            if any(_plain(each) == name for each in found.names):
                return module
            if found.lpar is None:
                body[index] = statement.with_changes(body=[_with_name(found, name)])
                return module.with_changes(body=body)
    text = f"from {home} import {name}" if name else f"import {home}"
    line: Any = cst.parse_statement(text, module.config_for_parsing)
    at, where = _place(body, (bool(name), home))
    gap = [cst.EmptyLine(indent=False)]
    if at == len(body):
        return module.with_changes(
            body=[*body, line.with_changes(leading_lines=gap if body and where == "apart" else [])]
        )
    following = body[at]
    if where == "apart":
        lines = gap if at else []
        body[at] = following.with_changes(
            leading_lines=[*([] if blank_lines(following.leading_lines) else gap), *following.leading_lines]
        )
    elif where == "inside":
        lines = blank_lines(following.leading_lines)
        is_first = bool(lines) or not at
        body[at] = (
            following.with_changes(leading_lines=list(following.leading_lines)[len(lines) :]) if is_first else following
        )
    else:
        lines = []
    line = line.with_changes(leading_lines=lines)
    return module.with_changes(body=[*body[:at], line, *body[at:]])


def _with_name(found: cst.ImportFrom, name: str) -> cst.ImportFrom:
    assert not isinstance(found.names, cst.ImportStar)
    names = list(found.names)
    at = next((index for index, each in enumerate(names) if _key(_plain(each)) > _key(name)), len(names))
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    names.insert(at, cst.ImportAlias(cst.Name(name)))
    last = len(names) - 1
    commas: list[Any] = [cst.MaybeSentinel.DEFAULT if index == last else comma for index in range(len(names))]
    return found.with_changes(names=[each.with_changes(comma=mark) for each, mark in zip(names, commas, strict=True)])


def _key(name: str) -> tuple[int, str]:
    """Return the sort key of a name in an import: constants first, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def _place(body: Sequence[Any], key: tuple[bool, str]) -> tuple[int, Literal["apart", "inside", "after"]]:
    """Return the index at which to insert an import: as a new block, or inside or at the end of an existing one."""
    imports = [index for index, each in enumerate(body) if _is_import(each) and _home(_single(each)) != "__future__"]
    is_standard = key[1].partition(".")[0] in sys.stdlib_module_names
    known = [index for index in imports if _is_like(_home(_single(body[index])), is_standard=is_standard)]
    if not known:
        head = next((index for index, each in enumerate(body) if not _is_head(each)), len(body))
        after = head if is_standard or not imports else 1 + imports[-1]
        return after, "apart"
    start = end = known[0]
    while start - 1 in imports and not blank_lines(body[start].leading_lines):
        start -= 1
    while end + 1 in imports and not blank_lines(body[end + 1].leading_lines):
        end += 1
    for index in range(start, end + 1):
        found = _single(body[index])
        if (isinstance(found, cst.ImportFrom), _home(found)) > key:
            return index, "inside"
    return end + 1, "after"


def _is_like(home: str, *, is_standard: bool) -> bool:
    first = home.partition(".")[0]
    return first in sys.stdlib_module_names if is_standard else first in _THIRD_PARTY


def _is_head(statement: Any) -> bool:
    found = _single(statement)
    return _is_text(statement) or (isinstance(found, cst.ImportFrom) and _home(found) == "__future__")


def _single(statement: Any) -> Any:
    return statement.body[0] if isinstance(statement, cst.SimpleStatementLine) and statement.body else None


def _is_import(statement: Any) -> bool:
    return isinstance(_single(statement), cst.Import | cst.ImportFrom)


def _home(found: Any) -> str:
    if isinstance(found, cst.Import):
        return dotted(found.names[0].name)
    if isinstance(found, cst.ImportFrom):
        return "." * len(found.relative) + (dotted(found.module) if found.module is not None else "")
    return ""


def _plain(alias: cst.ImportAlias) -> str:
    return "" if alias.asname is not None else dotted(alias.name)


def _is_text(statement: Any) -> bool:
    found = _single(statement)
    return isinstance(found, cst.Expr) and isinstance(found.value, cst.SimpleString | cst.ConcatenatedString)
