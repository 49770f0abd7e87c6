"""The origins of the names of a file: `mark.asyncio` is `pytest.mark.asyncio` after `from pytest import mark`.

Considers only imports, anywhere in the file. A name that is also bound in another way still counts as the import.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, final

import libcst as cst

__all__ = ["Names", "dotted", "imported"]


@final
class Names:
    """The imports of a file, given by its text."""

    def __init__(self, text: bytes) -> None:
        self.origins: Final[Mapping[str, str]] = _imports(text)

    def of(self, node: cst.CSTNode) -> str:
        """Return the full name that an expression refers to, or "" for any other expression."""
        name = dotted(node)
        head, dot, rest = name.partition(".")
        return f"{self.origins.get(head, head)}{dot}{rest}" if name else ""

    def called(self, node: cst.CSTNode) -> str:
        """Return the full name of the object that is named or called, as in `pytest.fixture` or `pytest.fixture()`."""
        return self.of(node.func if isinstance(node, cst.Call) else node)

    def local(self, origin: str) -> str:
        """Return the file's name for a module or one of its members, or ""."""
        if self.origins.get(origin) == origin:
            return origin
        return next((name for name, each in self.origins.items() if each == origin), "")


def dotted(node: cst.CSTNode) -> str:
    """Return the text of a dotted name, or "" for any other expression."""
    match node:
        case cst.Name(value=value):
            return value
        case cst.Attribute(value=value, attr=cst.Name(value=name)):
            inner = dotted(value)
            return f"{inner}.{name}" if inner else ""
        case _:
            return ""


def imported(node: cst.Import | cst.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield each name that an import binds, with its full name."""
    if isinstance(node, cst.Import):
        for each in node.names:
            full = dotted(each.name)
            first = full.partition(".")[0]
            yield (_alias(each), full) if each.asname is not None else (first, first)
    elif not isinstance(node.names, cst.ImportStar):
        home = "." * len(node.relative) + (dotted(node.module) if node.module is not None else "")
        for each in node.names:
            full = dotted(each.name)
            yield _alias(each) or full, f"{home}.{full}"


@lru_cache(maxsize=8)  # several rewritings ask about the same text, one after the other
def _imports(text: bytes) -> Mapping[str, str]:
    """Return the names that all imports of a file bind. Use Python's own parser, which is much faster than libcst."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.partition(".")[0]
                found[each.asname or first] = each.name if each.asname is not None else first
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            found.update((each.asname or each.name, f"{home}.{each.name}") for each in node.names if each.name != "*")
    return found


def _alias(node: cst.ImportAlias) -> str:
    return dotted(node.asname.name) if node.asname is not None else ""
