"""The files of the repository: their size, their heads, and text that must not occur in them."""

import ast
import re
from typing import Final

import looprig
from tests.house.repository import ROOT, python_files, tracked_files

MOST_LINES: Final = 400

# In pieces, so that this file doesn't contain what it forbids.
MACHINE_PATHS: Final = r"(?<![\w.:~-])/(?:work|root|home/\w+|Users/\w+)" + r"/\w"
REGISTRY_HOSTS: Final = "|".join(
    re.escape(".".join(parts))
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian"),
    )
)
FORBIDDEN: Final = re.compile(f"{MACHINE_PATHS}|{REGISTRY_HOSTS}")


def test_no_python_file_is_longer_than_can_be_read_in_one_sitting() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in python_files()}
    assert {str(path): length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_every_module_says_what_it_is_for() -> None:
    undocumented = [
        str(path.relative_to(ROOT))
        for path in python_files("src", "tests", "tools", "examples", "benchmarks")
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert undocumented == []


def test_no_file_names_a_machine_or_the_host_of_a_registry() -> None:
    found: list[str] = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:  # an image, for example
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1)
            if FORBIDDEN.search(line)
        ]
    assert found == []


def test_nothing_inside_imports_from_the_public_face() -> None:
    """The face loads heavy modules when a name is first used, so importing it inside would be circular."""
    looprig_names = {*looprig.__all__}
    importers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files("src/looprig")
        if path.relative_to(ROOT).as_posix() != "src/looprig/__init__.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == "looprig"
        and node.level == 0
        and not looprig_names.isdisjoint(alias.name for alias in node.names)
    ]
    assert importers == []
