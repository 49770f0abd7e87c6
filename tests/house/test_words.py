"""The form of docstrings: one style, so that a reader knows what to expect of the first words.

Does not judge prose; reviews do. Ruff's D401 is off, since some folders below still fail it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.house.repository import ROOT, python_files

SOURCES: Final = ROOT / "src" / "looprig"

UNFINISHED: Final = (
    "__init__.py",
    "aiomisc",
    "check",
    "declare/proxy.py",
    "net",
    "pytest_plugin/__init__.py",
    "pytest_plugin/_compat",
    "pytest_plugin/builtins.py",
    "pytest_plugin/checks",
    "pytest_plugin/collection",
    "pytest_plugin/inspect",
    "pytest_plugin/is_async.py",
    "pytest_plugin/loops",
    "pytest_plugin/markers.py",
    "pytest_plugin/options.py",
    "pytest_plugin/peers",
    "services/proxy.py",
    "services/udp_proxy.py",
    "toxics",
)
"""Files and folders whose docstrings are not in this form yet. Remove one when it is."""

RIDDLE: Final = re.compile(r"(?:What|Has|Gone)\b")
# A noun phrase, a question or the third person. A function's docstring is a command: "Return the loop of a test."
NOT_IMPERATIVE: Final = re.compile(r"(?:(?:A|An|The|All|Each|Every|How|Where|Whether|Which|Who|Why)\b|\w+[^s\W]s\b)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def openings(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield all functions, classes and modules in a tree with the first line of their docstrings."""
    for each in ast.walk(node):
        if isinstance(each, Function | ast.ClassDef | ast.Module) and (docstring := ast.get_docstring(each)):
            yield each, docstring.splitlines()[0]


def is_wrong(node: ast.AST, opening: str) -> bool:
    is_property = isinstance(node, Function) and any("property" in ast.unparse(each) for each in node.decorator_list)
    if RIDDLE.match(opening):
        return True
    return isinstance(node, Function) and not is_property and bool(NOT_IMPERATIVE.match(opening))


def is_finished(path: Path) -> bool:
    return not any(path.is_relative_to(SOURCES / entry) for entry in UNFINISHED)


def test_functions_have_docstrings_in_the_imperative() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {opening}"
        for path in python_files("src/looprig")
        if is_finished(path)
        for node, opening in openings(ast.parse(path.read_text("utf-8")))
        if is_wrong(node, opening)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""What users write."""', True),
        ('class A:\n    """Has fixtures looked at."""', True),
        ('class A:\n    """The fixtures of a test."""', False),
        ('def f():\n    """Return the loop."""', False),
        ('def f():\n    """Pass it on."""', False),
        ('def f():\n    """Returns the loop."""', True),
        ('def f():\n    """The loop."""', True),
        ('def f():\n    """Whether it runs."""', True),
        ('@property\ndef f(self):\n    """Whether it runs."""', False),
        ('@property\ndef f(self):\n    """What it runs."""', True),
    ],
)
def test_the_form_is_recognized(source: str, expected: bool) -> None:
    assert [is_wrong(*found) for found in openings(ast.parse(source))] == [expected]
