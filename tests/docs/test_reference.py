"""The reference agrees with the sources, and the examples in docstrings work."""

import ast
import doctest
import importlib
import pkgutil
import runpy
from collections.abc import Callable
from typing import Final

import pytest

import looprig
from tests.docs.pages import blocks_of
from tests.house.repository import ROOT

FOLDER: Final = ROOT / "docs" / "reference"


def test_the_reference_is_up_to_date() -> None:
    pages: Callable[[], dict[str, str]] = runpy.run_path(str(FOLDER / "generate.py"))["pages"]
    stale = [name for name, text in pages().items() if (FOLDER / name).read_text("utf-8") != text]
    assert stale == [], "update it with: python docs/reference/generate.py"


def test_every_public_name_is_in_the_reference() -> None:
    written = "".join(page.read_text("utf-8") for page in FOLDER.glob("*.md"))
    assert [name for name in looprig.__all__ if f"# {name}\n" not in written and name != "__version__"] == []


def modules() -> list[str]:
    """Return all modules. Those that need packages that aren't installed have their own tests."""
    return [info.name for info in pkgutil.walk_packages(looprig.__path__, "looprig.") if "__main__" not in info.name]


@pytest.mark.parametrize("name", modules())
def test_a_session_in_a_docstring_prints_what_it_shows(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.md")))
def test_an_example_in_a_docstring_is_python(name: str) -> None:
    """Indented text in a docstring is part of a suite. It need not run by itself, but must be valid Python."""
    lines = [part for part in blocks_of((FOLDER / name).read_text("utf-8")) if isinstance(part, str)]
    pieces: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("    ") or (not line.strip() and pieces[-1]):
            pieces[-1].append(line)
        elif pieces[-1]:
            pieces.append([])
    for piece in pieces:
        if piece:
            # Some pieces await at the top level, so they are parsed inside a function.
            ast.parse("async def example():\n" + "\n".join(piece))
