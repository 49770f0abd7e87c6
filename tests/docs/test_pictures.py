"""The pictures of terminal output show what pytest prints today."""

import html
import re
from pathlib import Path

import pytest

from docs.pictures.render import HERE, run, suites

# Colours, what only decorates, and the marks below an expression, which depend on the Python version.
DECORATION = re.compile(r"\x1b\[[\d;]*m|[\s_=^]")


def _bare(text: str) -> str:
    return DECORATION.sub("", text)


@pytest.mark.parametrize("folder", suites(), ids=lambda folder: folder.name)
def test_a_picture_shows_what_its_suite_prints(folder: Path) -> None:
    """If this fails: `python docs/pictures/render.py`."""
    picture = (HERE / f"{folder.name}.svg").read_text(encoding="utf-8")
    shown = "".join(html.unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", picture))
    assert _bare(run(folder)) in _bare(shown)


def test_a_picture_loads_nothing() -> None:
    """A font, for example, would come from somebody else's server."""
    for folder in suites():
        picture = (HERE / f"{folder.name}.svg").read_text(encoding="utf-8")
        assert re.findall(r"https?:[^\"]*", picture) == ["http://www.w3.org/2000/svg"]
