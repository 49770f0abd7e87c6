"""The pages as the site shows them. They are written for readers of plain Markdown on a forge as well.

- A fenced block's `title="..."` becomes its caption.
- The list of pages in README.md becomes the contents of the front page, and the navigation.
- CONTRIBUTING.md and CHANGELOG.md become pages of the site.
- A paragraph below `<!-- forge -->` is left out.
- A link to a file that isn't a page leads to the repository.
"""

import re
import tomllib
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx

ROOT: Final = Path(__file__).resolve().parents[2]
_FENCE: Final = re.compile(r'^(?P<fence>`{3,})(?P<language>\w+) +title="(?P<title>[^"]+)"[^\n`]*$', re.MULTILINE)
_WHOLE: Final = re.compile(r"<!-- shows: (\S+) -->")
_FORGE: Final = re.compile(r"<!-- forge -->\n(?:.+\n)+")
_CONTENTS: Final = "<!-- contents -->"
_NAVIGATION: Final = "<!-- navigation -->"
_LINK: Final = re.compile(
    r"(?<!!)\[(?P<text>(?:`[^`]*`|[^\]`])+)\]"  # brackets in code belong to the text
    r"\((?P<target>(?!https?:|#)[^)\s#]+)(?P<anchor>#[^)\s]*)?\)"
)
_ELSEWHERE: Final = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "docs/README.md": "index.md",
}
_GROUP: Final = re.compile(r"^(?:## (?P<heading>.+)|(?P<label>\w[^.\n]*):)$")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hooks with Sphinx."""
    app.connect("source-read", _read)
    app.connect("build-finished", _remove_old)
    return {"parallel_read_safe": True}


def _read(app: Sphinx, docname: str, content: list[str]) -> None:
    page = Path(app.env.doc2path(docname))
    text = _FORGE.sub("", content[0])
    if (whole := _WHOLE.search(text)) is not None:
        shown = page.parent / whole[1]
        app.env.note_dependency(str(shown))
        text = _moved(shown.read_text("utf-8"), shown.parent, page.parent)
    if _CONTENTS in text:
        contents = page.with_name("README.md")
        app.env.note_dependency(str(contents))
        text = text.replace(_CONTENTS, contents.read_text("utf-8").partition("\n")[2])
    text = _LINK.sub(lambda link: _outside(link, page.parent), text)
    if _NAVIGATION in text:
        text = _with_navigation(text)
    content[0] = _FENCE.sub("\\g<fence>{code-block} \\g<language>\n:caption: \\g<title>\n", text)


def _remove_old(app: Sphinx, error: Exception | None) -> None:
    """Remove the pages of an earlier build that have no source any more."""
    for page in Path(app.outdir).rglob("*.html"):
        name = page.relative_to(app.outdir).with_suffix("").as_posix()
        if error is None and name not in app.env.found_docs | {"genindex", "py-modindex", "search"}:
            page.unlink()


def _moved(text: str, old: Path, new: Path) -> str:
    """Return a text with its relative links as they are in another folder."""

    def link(match: re.Match[str]) -> str:
        target = (old / match["target"]).resolve()
        moved = target.relative_to(new) if target.is_relative_to(new) else Path("..", target.relative_to(new.parent))
        return f"[{match['text']}]({moved.as_posix()}{match['anchor'] or ''})"

    return _LINK.sub(link, text)


def _outside(link: re.Match[str], folder: Path) -> str:
    """Return a link whose target is on the site, in the repository, or else only its text."""
    target = (folder / link["target"]).resolve()
    page = _ELSEWHERE.get(target.relative_to(ROOT).as_posix()) if target.is_relative_to(ROOT) else None
    if page:
        depth = len(folder.relative_to(ROOT / "docs").parts)
        return f"[{link['text']}]({'../' * depth}{page}{link['anchor'] or ''})"
    if target.is_relative_to(ROOT / "docs") or not target.exists():
        return link[0]
    home = _repository()
    return f"[{link['text']}]({home}/blob/main/{target.relative_to(ROOT).as_posix()})" if home else link["text"]


def _repository() -> str:
    """Return the address of the repository, or an empty string if the project doesn't say it yet."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"].get("urls", {})
    return next((url.rstrip("/") for name, url in urls.items() if name.lower() in {"repository", "source"}), "")


def _with_navigation(text: str) -> str:
    """Return a page with the navigation below each group of its lists."""
    lines: list[str] = []
    section = caption = ""
    pages: list[str] = []
    for given in [*text.splitlines(), "## "]:
        line = given
        group = _GROUP.match(line)
        if group and group["label"] and not section:
            group = None  # a paragraph above the lists
        if group or line == "## ":
            lines += _toctree(caption, pages)
            pages = []
            if group and group["label"]:
                caption = f"{section}: {group['label'][0].lower()}{group['label'][1:]}"
                line = f"### {group['label']}"
            elif group:
                section = caption = group["heading"]
        elif line.startswith(("- ", "  ")):
            pages += [link["target"].removesuffix(".md") for link in _LINK.finditer(line)]
        lines.append(line)
    return "\n".join(lines[:-1])


def _toctree(caption: str, pages: list[str]) -> list[str]:
    if not pages:
        return []
    return ["", "```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else []), "", *pages, "```", ""]
