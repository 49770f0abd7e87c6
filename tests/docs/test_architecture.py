"""The page that tells the architecture names every module, and none that is not there."""

import re
from typing import Final

from tests.house.repository import ROOT, python_files

PAGE: Final = ROOT / "docs" / "explanation" / "architecture.md"


def test_the_page_names_the_modules_that_there_are() -> None:
    """A folder's own `__init__` is told with the folder."""
    named = set(re.findall(r"`([\w/]+\.py)`", PAGE.read_text("utf-8")))
    source = ROOT / "src" / "looprig"
    there = {path.relative_to(source).as_posix() for path in python_files("src/looprig") if path.name != "__init__.py"}
    assert (sorted(there - named), sorted(named - there)) == ([], [])
