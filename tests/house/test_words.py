"""The form of docstrings: one style, so that a reader knows what to expect of the first words.

Does not judge prose; reviews do. Ruff's D401 judges functions alone, and properties and fixtures as well.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.house.repository import ROOT, python_files

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
    if RIDDLE.match(opening):
        return True
    if not isinstance(node, Function):
        return False
    # A property is read like a noun, and `pytest --fixtures` shows the docstring of a fixture beside its name.
    is_noun = any(word in ast.unparse(each) for each in node.decorator_list for word in ("property", "fixture"))
    return not is_noun and bool(NOT_IMPERATIVE.match(opening))


def wrong_openings(path: Path) -> list[str]:
    """Return the docstrings of a file that don't have the form, with their places."""
    return [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {opening}"
        for node, opening in openings(ast.parse(path.read_text("utf-8")))
        if is_wrong(node, opening)
    ]


def test_functions_have_docstrings_in_the_imperative() -> None:
    assert [wrong for path in python_files("src/looprig") for wrong in wrong_openings(path)] == []


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
        ('@pytest.fixture\ndef f():\n    """The loop."""', False),
    ],
)
def test_the_form_is_recognized(source: str, expected: bool) -> None:
    assert [is_wrong(*found) for found in openings(ast.parse(source))] == [expected]
