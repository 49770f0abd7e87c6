"""The docs site is complete: every link leads somewhere, and every public name has an entry."""

import importlib
import inspect
import re
from functools import cache
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.test_reference import entries, named
from tests.house.repository import ROOT
from tests.site.built import PAGES, SITE, inventory, needs_site, page

pytestmark = needs_site


@cache
def ids_of(name: str) -> set[str]:
    """Return the ids of a page, to which links can lead."""
    return page(name).ids


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    broken: list[str] = []
    for target in page(name).targets:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc or target == "#":
            continue
        path = (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
        found = path.resolve()
        if not found.is_file() or (
            parts.fragment
            and found.suffix == ".html"
            and unquote(parts.fragment) not in ids_of(found.relative_to(SITE.resolve()).as_posix())
        ):
            broken.append(target)
    assert broken == []


def test_every_page_of_the_documentation_is_on_the_site() -> None:
    """README.md is the list of pages, which the front page shows."""
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert sorted(pages - {*PAGES}) == ["README.html"]


def test_the_front_page_leads_to_every_kind_of_page() -> None:
    targets = {target.partition("#")[0] for target in page("index.html").targets}
    assert {target.partition("/")[0] for target in targets if "/" in target} >= {
        "tutorial", "how-to", "reference", "explanation", "adr",
    }  # fmt: skip
    assert {"changelog.html", "contributing.html"} <= targets


def test_every_entry_of_the_reference_is_on_the_site() -> None:
    """With those of its members that have a docstring, except how a toxic makes its fault."""
    found = inventory()
    missing: list[str] = []
    for kind, name in entries():
        if found.get(name) != f"py:{kind}":
            missing.append(name)
        cls = named(name)
        if kind == "class" and inspect.isclass(cls):
            missing += [
                f"{name}.{member}"
                for member, value in vars(cls).items()
                if not member.startswith(("_", "on_"))
                and (inspect.isfunction(value) or isinstance(value, property))
                and value.__doc__
                and f"{name}.{member}" not in found
            ]
    assert missing == []


def test_the_site_has_the_signatures_of_overloads_and_of_fields() -> None:
    """Their sources are in private modules, while `__module__` says `looprig`."""
    names, toxics = (
        re.sub(r"<[^>]+>|\s", "", (SITE / "reference" / f"{page}.html").read_text("utf-8"))
        for page in ("names", "toxics")
    )
    assert "service_fixture(cls:type[HasStartAndStopOrRunOrAenter],/,)" in names
    assert "service_fixture(*,scope:" in names
    assert "Latency(delay:float,jitter:float=0.0,*,direction:" in toxics


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_nothing_of_its_markup(name: str) -> None:
    """Neither the title of a file, which is a caption, nor roles and directives that weren't recognized."""
    text = re.sub(r"<(script|pre)\b.*?</\1>|<[^>]+>", "", (SITE / name).read_text("utf-8"), flags=re.DOTALL)
    assert re.findall(r'title=(?:"|&quot;)\S+|:py:\w+:|<!--.*?-->|\{[a-z-]+\}`|```', text) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_class_without_a_public_base_shows_no_bases(name: str) -> None:
    assert re.findall(r"Bases:\s*</p>", (SITE / name).read_text("utf-8")) == []


def test_a_word_in_a_docstring_links_a_public_name_and_no_parameter_of_that_name() -> None:
    """`timeout` is a parameter of a client, and also a decorator."""
    html = (SITE / "reference" / "names.html").read_text("utf-8")
    client = html[html.index('id="looprig.TestClient"') : html.index('id="looprig.TestClient.url"')]
    assert 'href="#looprig.timeout"' not in client
    assert 'title="looprig.UnexpectedResponseError"' in client


def test_a_file_has_its_name_as_caption() -> None:
    text = (SITE / "tutorial" / "first-service.html").read_text("utf-8")
    assert re.search(r'class="code-block-caption"><span class="caption-text">\w+\.py<', text)


def test_every_public_package_is_documented() -> None:
    packages = {name.rpartition(".")[0] for _, name in entries()}
    assert packages >= {
        "looprig",
        "looprig.kits",
        "looprig.toxics",
        "looprig.toxics.udp",
        "looprig.net",
        "looprig.http",
    }
    assert all(importlib.import_module(package) for package in packages)
