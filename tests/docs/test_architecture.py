"""The architecture page names every part of looprig and nothing else; CONTRIBUTING.md lists the layers."""

import re
import tomllib
from typing import Final

from tests.house.repository import ROOT, python_files

PAGE: Final = ROOT / "docs" / "explanation" / "architecture.md"
SOURCE: Final = ROOT / "src" / "looprig"


def test_the_page_names_the_folders_that_there_are() -> None:
    """The top folders, and the subpackages of the plugin."""
    named = {name.rstrip("/") for name in re.findall(r"`(\w[\w/]*)`", PAGE.read_text("utf-8"))}
    folders = {path.parent.relative_to(SOURCE) for path in python_files("src/looprig")}
    top = {folder.parts[0] for folder in folders if folder.parts}
    parts = {folder.name for folder in folders if folder.parts[:1] == ("pytest_plugin",) and len(folder.parts) > 1}
    assert sorted((top | parts) - named) == []


def test_the_page_names_no_folder_that_is_not_there() -> None:
    """Folders are written with a slash at the end."""
    named = re.findall(r"`(\w[\w/]*)/`", PAGE.read_text("utf-8"))
    assert [
        name for name in named if not any((base / name).is_dir() for base in (SOURCE, SOURCE / "pytest_plugin"))
    ] == []


def test_contributing_lists_the_layers_in_their_order() -> None:
    """As import-linter checks them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    whole = next(contract for contract in contracts if contract.get("containers") == ["looprig"])
    layers = [layer.strip("()") for layer in whole["layers"]]
    listed = (ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()
    assert [line for line in listed if line in layers] == layers
