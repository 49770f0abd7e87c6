"""Wrapping of signatures that have become too long, in the style of the common formatters.

Does not know annotations. Invariant: a signature that fits, or that contains a comment, stays as it is.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["line_length", "wrapped"]

_DEFAULT: Final = 88  # the default of ruff and black


def line_length(root: Path) -> int:
    """Return the line length that a project gives its formatter."""
    for file, *tables in (
        ("ruff.toml",),
        (".ruff.toml",),
        ("pyproject.toml", "tool", "ruff"),
        ("pyproject.toml", "tool", "black"),
    ):
        found = _table(root / file, tables).get("line-length")
        if isinstance(found, int):
            return found
    return _DEFAULT


def _table(file: Path, tables: list[str]) -> dict[str, Any]:
    try:
        found: Any = tomllib.loads(file.read_text("utf-8"))
        for name in tables:
            found = found[name]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(found)


class _Signature(NamedTuple):
    head: str
    """The text up to and including `(`."""
    parameters: list[str]
    tail: str
    """The text from `)` on, including it."""
    lines: int


def wrapped(text: str, changed: Collection[int], width: int) -> str:
    """Return the text of a file, with the signatures on these lines wrapped at `width` characters."""
    lines = text.splitlines(keepends=True)
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno in changed
    ]
    for node in sorted(functions, key=lambda each: -each.lineno):
        start, column = node.lineno - 1, node.col_offset
        signature = _signature("".join(lines[start:]), column)
        if signature is None:
            continue
        if all(len(line.rstrip("\r\n")) <= width for line in lines[start : start + signature.lines]):
            continue
        end = "\r\n" if lines[start].endswith("\r\n") else "\n"
        lines[start : start + signature.lines] = [f"{line}{end}" for line in _laid_out(signature, " " * column, width)]
    return "".join(lines)


def _signature(text: str, column: int) -> _Signature | None:
    """Return the signature at the beginning of a text, or `None` if it has comments."""
    lines = text.splitlines(keepends=True)
    depth = 0
    opened: tuple[int, int] | None = None
    closed: tuple[int, int] | None = None
    ends: list[tuple[int, int]] = []
    for token in tokenize.generate_tokens(io.StringIO(text[column:]).readline):
        at = (token.start[0], token.start[1] + (column if token.start[0] == 1 else 0))
        if token.type == tokenize.COMMENT and closed is None:
            return None
        if token.type == tokenize.NEWLINE:
            break
        if token.type != tokenize.OP:
            continue
        if token.string in "([{":
            depth += 1
            opened = opened or (at if token.string == "(" else None)
        elif token.string in ")]}":
            depth -= 1
            closed = closed or (at if depth == 0 and opened else None)
        elif token.string == "," and depth == 1 and closed is None:
            ends.append(at)
        elif token.string == ":" and depth == 0 and closed is not None:
            starts = [*ends, closed]
            begun = [_after(opened or at), *map(_after, ends)]
            parts = [_between(lines, start, end) for start, end in zip(begun, starts, strict=True)]
            found = [re.sub(r"\s*\r?\n\s*", " ", part).strip() for part in parts]
            head = _between(lines, (1, 0), _after(opened or at))
            tail = _between(lines, closed, (at[0], len(lines[at[0] - 1].rstrip("\r\n"))))
            return _Signature(head, [part for part in found if part], tail, at[0]) if "\n" not in tail else None
    return None


def _after(place: tuple[int, int]) -> tuple[int, int]:
    return place[0], place[1] + 1


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    first, *middle, last = lines[start[0] - 1 : end[0]]
    return "".join([first[start[1] :], *middle, last[: end[1]]])


def _laid_out(signature: _Signature, indent: str, width: int) -> Iterator[str]:
    inner = f"{indent}    {', '.join(signature.parameters)}"
    yield signature.head
    if len(inner) <= width:
        yield inner
    else:
        yield from (f"{indent}    {parameter}," for parameter in signature.parameters)
    yield f"{indent}{signature.tail}"
