"""Imports that are added, where a person who sorts imports would put them."""

from collections.abc import Sequence
from typing import Any, Final

import libcst as cst

from looprig.migrate.names import dotted

__all__ = ["with_import"]

_THIRD_PARTY: Final = frozenset({"aiohttp", "aiomisc", "anyio", "pytest", "pytest_asyncio", "looprig"})


def with_import(module: cst.Module, home: str, name: str = "") -> cst.Module:
    """Return a module with `import home`, or with `from home import name`. One that is there is used."""
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
    at = _place(body, (bool(name), home))
    if at < len(body) and not _is_import(body[at]):
        following = body[at]
        gap = following.with_changes(leading_lines=[cst.EmptyLine(indent=False), *following.leading_lines])
        body[at] = gap if not following.leading_lines else following
    elif at < len(body):
        line = line.with_changes(leading_lines=_blank(body[at].leading_lines))
        body[at] = body[at].with_changes(leading_lines=list(body[at].leading_lines)[len(line.leading_lines) :])
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
    """Return the order of names in an import: constants, classes, the rest."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def _place(body: Sequence[Any], key: tuple[bool, str]) -> int:
    """Return the index at which an import belongs: in the block of the imports of pytest and the like."""
    imports = [index for index, each in enumerate(body) if _is_import(each)]
    known = [index for index in imports if _home(_single(body[index])).partition(".")[0] in _THIRD_PARTY]
    if not known:
        return 1 + imports[-1] if imports else int(bool(body) and _is_text(body[0]))
    start = end = known[0]
    while start - 1 in imports and not _blank(body[start].leading_lines):
        start -= 1
    while end + 1 in imports and not _blank(body[end + 1].leading_lines):
        end += 1
    for index in range(start, end + 1):
        found = _single(body[index])
        if (isinstance(found, cst.ImportFrom), _home(found)) > key:
            return index
    return end + 1


def _blank(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    count = next((index for index, each in enumerate(lines) if each.comment is not None), len(lines))
    return list(lines)[:count]


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
