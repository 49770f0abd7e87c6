"""The docs site as a reader sees it: search finds things, diagrams are drawn, and a narrow screen cuts nothing off."""

from typing import Final

import pytest

from tests.site.browser import PROGRAM, Browser, Chromium, Site, browser
from tests.site.built import PAGES, SITE, needs_site

__all__ = ["Chromium", "Site", "browser"]  # pytest finds the fixtures here

pytestmark = [needs_site, pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: python3 tools/dev.py bring")]

NARROW: Final = 390  # pixels, as on a phone
DIAGRAMS: Final = "document.querySelectorAll('pre.mermaid, div.mermaid').length"


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_fits_on_a_narrow_screen(browser: Browser, page: str) -> None:
    """Wide tables and code scroll in their own boxes."""
    await browser.open(page, width=NARROW)
    assert await browser.evaluate("document.documentElement.scrollWidth") <= NARROW
    assert browser.errors == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("latency", "looprig.toxics.Latency"),
        ("ProcessService", "looprig.ProcessService"),
        ("clean database", "Give each test a clean database"),
    ],
)
async def test_search_finds_names_and_pages(browser: Browser, words: str, expected: str) -> None:
    await browser.open(f"search.html?q={words.replace(' ', '+')}")
    await browser.until("document.querySelector('#search-results p.search-summary')?.innerText.includes('finished')")
    results = await browser.evaluate("[...document.querySelectorAll('ul.search li a')].map(each => each.innerText)")
    assert expected in results


@pytest.mark.skipif(
    not (SITE / "_static" / "mermaid").is_dir(), reason="the script comes from a CDN, as npm is missing"
)
@pytest.mark.parametrize("page", ["explanation/architecture.html", "explanation/loop-plan.html"])
@pytest.mark.parametrize("dark", [False, True])
async def test_diagrams_are_drawn(browser: Browser, page: str, *, dark: bool) -> None:
    await browser.open(page, dark=dark)
    assert await browser.evaluate(DIAGRAMS) > 0
    # Some are drawn only when they come into view.
    await browser.until(
        "[...document.querySelectorAll('pre.mermaid, div.mermaid')].every(each =>"
        " each.querySelector('svg') || (each.scrollIntoView(), false))"
    )
    assert browser.errors == []


@pytest.mark.parametrize("page", ["how-to/timeline.html", "explanation/loop-plan.html"])
async def test_pictures_are_shown(browser: Browser, page: str) -> None:
    await browser.open(page)
    widths = await browser.evaluate("[...document.querySelectorAll('article img')].map(each => each.naturalWidth)")
    assert widths
    assert all(widths)


async def test_the_dark_scheme_of_the_reader_is_followed(browser: Browser) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    await browser.open("index.html")
    light = await browser.evaluate(colour)
    await browser.open("index.html", dark=True)
    assert await browser.evaluate(colour) != light


async def test_a_command_is_copied_without_its_prompt_and_output(browser: Browser) -> None:
    await browser.open("how-to/clean-databases.html")
    await browser.until("document.querySelector('.highlight-console button.copybtn') != null")
    # A page that isn't in front has no clipboard. What it would copy is in a text area of its own.
    await browser.evaluate(
        "document.execCommand = () => { window.copied = document.querySelector('body > textarea').value; return true; }"
    )
    await browser.evaluate("document.querySelector('.highlight-console button.copybtn').click()")
    assert (await browser.evaluate("window.copied")).strip() == "pytest -q"
