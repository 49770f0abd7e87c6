"""Everything private to pytest is touched in `_compat` alone, which lists all of it with reasons."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from looprig.pytest_plugin import _compat
from tests.house.repository import ROOT, python_files

PACKAGE: Final = ROOT / "src/looprig/pytest_plugin/_compat"
UNDERSCORED: Final = r"_[a-z]\w*"
LISTED: Final = {
    name: files.split(", ")
    for name, files in re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", _compat.__doc__ or "", flags=re.MULTILINE)
}


def imported(tree: ast.Module) -> Iterator[str]:
    """Names that are imported from `_pytest`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "_pytest":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "_pytest")


def underscored(tree: ast.Module) -> Iterator[str]:
    """Underscored attributes of what is not `self`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self")):
                pass
            case ast.Attribute(attr=name) if re.fullmatch(UNDERSCORED, name):
                yield name
            case _:
                pass


def strings(tree: ast.Module) -> Iterator[str]:
    """Strings that may name such an attribute: for `getattr`, say."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(UNDERSCORED, node.value):
            yield node.value


def own_names(tree: ast.Module) -> set[str]:
    """Return the names that a module defines itself."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_the_list_is_whole_and_has_nothing_that_is_gone() -> None:
    found: dict[str, set[str]] = {}
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for name in {*imported(tree), *underscored(tree), *strings(tree)} - own_names(tree):
            found.setdefault(name, set()).add(path.stem)
    assert found == {name: {*files} for name, files in LISTED.items()}


def test_nothing_else_touches_it() -> None:
    touched: list[str] = []
    for path in python_files("src/looprig"):
        tree = ast.parse(path.read_text("utf-8"))
        if not path.is_relative_to(PACKAGE):
            names = {*imported(tree), *(name for name in underscored(tree) if name in LISTED)}
            touched += [f"{path.relative_to(ROOT)}: {name}" for name in names]
    assert touched == []
