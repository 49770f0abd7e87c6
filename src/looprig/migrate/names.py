"""What the names of a file stand for: `mark.asyncio` is `pytest.mark.asyncio` after `from pytest import mark`.

Knows imports alone, wherever in the file they stand. A name that is also bound otherwise still counts as the import.
"""

from collections.abc import Iterator, Mapping
from typing import Final, final

import libcst as cst

__all__ = ["Names", "dotted", "imported"]


@final
class Names:
    """The imports of a module."""

    def __init__(self, module: cst.Module) -> None:
        self.origins: Final[Mapping[str, str]] = dict(imported(module))

    def of(self, node: cst.CSTNode) -> str:
        """Return the full name of what an expression names, and an empty string for any other expression."""
        name = dotted(node)
        head, dot, rest = name.partition(".")
        return f"{self.origins.get(head, head)}{dot}{rest}" if name else ""

    def called(self, node: cst.CSTNode) -> str:
        """Return the full name of what is named or called: the same for `pytest.fixture` and `pytest.fixture()`."""
        return self.of(node.func if isinstance(node, cst.Call) else node)

    def local(self, origin: str) -> str:
        """Return the name that the file has for a module or what it contains, or an empty string."""
        if self.origins.get(origin) == origin:
            return origin
        return next((name for name, each in self.origins.items() if each == origin), "")


def dotted(node: cst.CSTNode) -> str:
    """Return the text of a name with dots, and an empty string for any other expression."""
    match node:
        case cst.Name(value=value):
            return value
        case cst.Attribute(value=value, attr=cst.Name(value=name)):
            inner = dotted(value)
            return f"{inner}.{name}" if inner else ""
        case _:
            return ""


def imported(node: cst.CSTNode) -> Iterator[tuple[str, str]]:
    """Yield each name that imports in a tree bind, and what it stands for."""
    match node:
        case cst.Import(names=names):
            for each in names:
                full = dotted(each.name)
                first = full.partition(".")[0]
                yield (_alias(each), full) if each.asname is not None else (first, first)
        case cst.ImportFrom(names=names, relative=relative) if not isinstance(names, cst.ImportStar):
            home = "." * len(relative) + (dotted(node.module) if node.module is not None else "")
            for each in names:
                full = dotted(each.name)
                yield _alias(each) or full, f"{home}.{full}"
        case _:
            for child in node.children:
                yield from imported(child)


def _alias(node: cst.ImportAlias) -> str:
    return dotted(node.asname.name) if node.asname is not None else ""
