"""The reference has every public name once, agrees with the sources, and the examples in docstrings work.

What the docs site makes of docstrings is tested in `tests/site`.
"""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import runpy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import pytest

import looprig
from tests.docs.pages import Block, blocks_of
from tests.house.repository import PUBLIC_PACKAGES, ROOT

FOLDER: Final = ROOT / "docs" / "reference"
PACKAGES: Final = (*PUBLIC_PACKAGES, "looprig.http")
_ENTRY: Final = re.compile(r"^\.\. auto(?P<kind>class|exception|function|data):: (?P<name>[\w.]+)$", re.MULTILINE)


def test_the_page_of_options_is_up_to_date() -> None:
    generate = runpy.run_path(str(FOLDER / "generate.py"))
    page: Callable[[], str] = generate["page"]
    assert generate["PAGE"].read_text("utf-8") == page(), "update it with: python docs/reference/generate.py"


def entries() -> Iterator[tuple[str, str]]:
    """Yield the kind and the name of each entry of the reference."""
    for page in FOLDER.glob("*.md"):
        for block in blocks_of(page.read_text("utf-8")):
            if isinstance(block, Block):
                for entry in _ENTRY.finditer(block.text):
                    yield entry["kind"], entry["name"]


def named(name: str) -> object:
    """Return the object that an entry documents."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def test_every_public_name_is_in_the_reference_once() -> None:
    """Under one of its names, if several packages hand it on."""
    times = Counter(name for _, name in entries())
    documented = [named(name) for name in times]
    missing = [
        f"{package}.{name}"
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
        if name != "__version__" and not any(named(f"{package}.{name}") is each for each in documented)
    ]
    assert missing == []
    assert [name for name, found in times.items() if found > 1] == []


@pytest.mark.parametrize(("kind", "name"), [*entries()], ids=lambda value: value)
def test_an_entry_has_the_kind_of_its_object(kind: str, name: str) -> None:
    """Or Sphinx shows a function as a class."""
    found = named(name)
    if inspect.isclass(found):
        expected = "exception" if issubclass(found, BaseException) else "class"
    else:
        expected = "function" if inspect.isfunction(found) else "data"
    assert kind == expected


def modules() -> list[str]:
    """Return all modules. Those that need packages that aren't installed have their own tests."""
    return [info.name for info in pkgutil.walk_packages(looprig.__path__, "looprig.") if "__main__" not in info.name]


@pytest.mark.parametrize("name", modules())
def test_a_session_in_a_docstring_prints_what_it_shows(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", sorted({name for _, name in entries()}))
def test_an_example_in_a_docstring_is_python(name: str) -> None:
    """Indented text in a docstring is part of a suite. It need not run by itself, but must be valid Python."""
    found = named(name)
    defined = vars(found).values() if inspect.isclass(found) else ()
    members = [each for each in defined if inspect.isfunction(each) or isinstance(each, property)]
    for each in (found, *members):
        for example in examples(inspect.cleandoc(str(getattr(each, "__doc__", None) or ""))):
            # Some await at the top level, so they are parsed inside a function.
            ast.parse(f"async def example():\n{example}")


def examples(docstring: str) -> Iterator[str]:
    """Yield the indented blocks of a docstring that are in no section such as `Raises:`."""
    in_section = False
    piece: list[str] = []
    for line in [*docstring.splitlines(), "end"]:
        if line.startswith("    ") or not line.strip():
            piece.append("" if in_section else line)
            continue
        if any(each.strip() for each in piece):
            yield "\n".join(piece)
        piece = []
        in_section = re.fullmatch(r"(Args|Attributes|Configuration|Raises|Returns|Yields):", line) is not None
