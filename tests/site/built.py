"""The built docs site as files: its pages with their links, and the names in its inventory.

Reads HTML only; `browser` looks at the pages as a reader does.
"""

import os
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final, final

import pytest

from tests.house.repository import ROOT

__all__ = ["PAGES", "SITE", "Page", "inventory", "needs_site", "page"]

SITE: Final = ROOT / os.environ.get("LOOPRIG_SITE", "build/docs")
needs_site: Final = pytest.mark.skipif(
    "LOOPRIG_SITE" not in os.environ, reason="needs the built site: python3 tools/dev.py test --only docs"
)
PAGES: Final = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")) if SITE.is_dir() else []


@final
@dataclass
class Page(HTMLParser):
    """What links and tests need of a page."""

    ids: set[str] = field(default_factory=set[str])
    targets: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the id of an element, and what it links to or loads."""
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in {"href", "src"} and value:
                self.targets.append(value)


def page(name: str) -> Page:
    """Return a page of the site, parsed."""
    parsed = Page()
    parsed.feed((SITE / name).read_text("utf-8"))
    return parsed


def inventory() -> dict[str, str]:
    """Return the kinds of all Python objects that the site documents, by name."""
    raw = (SITE / "objects.inv").read_bytes()
    packed = raw.split(b"\n", 4)[4]  # after the lines of the head
    lines = zlib.decompress(packed).decode().splitlines()
    return {words[0]: words[1] for words in map(str.split, lines) if words[1].startswith("py:")}
