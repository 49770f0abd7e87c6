"""Every example of README.md and docs/ runs, and prints what its page shows."""

import ast
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from looprig.kits.programs import POSTGRES, REDIS
from tests.docs.pages import Block, Command, File, Suite, blocks_of, suites_of
from tests.house.repository import ROOT

PAGES: Final = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
SUITES: Final = [suite for page in PAGES for suite in suites_of(page, page.relative_to(ROOT).as_posix())]

# Other async plugins: disabled if they are installed, unless the page says that it needs them.
PEERS: Final = {
    "pytest-asyncio": "asyncio",
    "anyio": "anyio",
    "pytest-aiohttp": "aiohttp",
    "aiomisc-pytest": "aiomisc",
    "alt-pytest-asyncio": "alt_pytest_asyncio",
}
# Not async, and needed by no example, but loading each takes longer than the example does.
SLOW: Final = {"hypothesispytest": "hypothesis", "xdist": "pytest-xdist", "xdist.looponfail": "pytest-xdist"}
MODULES: Final = {"pytest-asyncio": "pytest_asyncio", "aiomisc-pytest": "aiomisc_pytest", "pytest-xdist": "xdist"}
NOTED: Final = "looprig: watchdogs noted"
SERVERS: Final = {"PostgreSQL": POSTGRES, "Redis": REDIS}
LIMIT: Final = 110.0  # seconds for one command


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_an_example_does_what_its_page_says(suite: Suite, tmp_path: Path) -> None:
    for needed in suite.needs:
        if needed in SERVERS:
            if not SERVERS[needed].is_installed():
                pytest.skip(f"needs {needed}")
        elif find_spec(MODULES.get(needed, needed.replace("-", "_"))) is None:
            pytest.skip(f"needs {needed}")
    for step in suite.steps:
        if isinstance(step, File):
            path = tmp_path / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, "utf-8")
        else:
            run(step, suite, tmp_path)


def run(command: Command, suite: Suite, folder: Path) -> None:
    """Run a command of a page, and compare its output and exit status with the page."""
    program, *arguments = shlex.split(command.text)
    if program == "pytest":
        peers = [plugin for name, plugin in PEERS.items() if name not in suite.needs]
        slow = [plugin for plugin, name in SLOW.items() if name not in suite.needs]
        off = [f"-pno:{plugin}" for plugin in (*peers, *slow)]
        arguments = ["-P", "-m", "pytest", "-pno:cacheprovider", *off, *arguments]
    elif program == "mypy":
        arguments = ["-m", "mypy", "--cache-dir", os.devnull, *arguments]
    else:
        assert program == "python", f"{suite.page}:{command.line}: only pytest, mypy and python can run here"
    done = subprocess.run(
        (sys.executable, *arguments),
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=LIMIT,
        check=False,
    )
    place = f"{suite.page}:{command.line}: `{command.text}`"
    printed = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    if pattern_of(command.shown).search(printed) is None:
        pytest.fail(f"{place} printed this:\n{printed}", pytrace=False)
    if NOTED in printed and NOTED not in command.shown:
        pytest.fail(f"{place} leaves something, and the page doesn't show it:\n{printed}", pytrace=False)
    expects_failure = (
        re.search(r"(?<!noted )\b\d+ (failed|errors?|findings?)\b|^ERROR|Found \d+ error", command.shown, re.MULTILINE)
        is not None
    )
    if (done.returncode != 0) is not expects_failure:
        pytest.fail(f"{place} exited with {done.returncode}:\n{printed}", pytrace=False)


def pattern_of(shown: str) -> re.Pattern[str]:
    """Return a pattern for whole consecutive lines; `...` matches anything, and durations aren't compared."""
    parts: list[str] = []
    for line in shown.strip("\n").splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        escaped = re.escape(line.rstrip()).replace(r"\.\.\.", ".*")
        escaped = re.sub(r"(?<=\bin\\ )\d+\\\.\d+(?=s)", r"[\\d.]+", escaped)
        # The indentation of an error depends on the line that raised it.
        escaped = re.sub(r"^E(\\ )+", r"E +", escaped)
        # pytest's rules are as wide as the terminal.
        parts.append(re.sub(r"(=|_|!|\\-)\1{3,}", r"\1+", escaped) + r"(?:\n|\Z)")
    return re.compile("(?m:^)" + "".join(parts))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_python_block_of_a_page_is_run(page: Path) -> None:
    """A block that isn't a file never runs. Neither does a block after the last command."""
    loose: list[str] = []
    waiting: list[Block] = []
    for part in blocks_of(page.read_text("utf-8")):
        if not isinstance(part, Block):
            continue
        if part.language == "python":
            ast.parse(part.text)
            if part.title is None:
                loose.append(f"line {part.line}: no title")
            waiting.append(part)
        elif part.language == "console":
            waiting.clear()
    assert [*loose, *(f"line {block.line}: no command runs it" for block in waiting)] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for line in blocks_of(page.read_text("utf-8"))
        if isinstance(line, str)
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", re.sub("`[^`]*`", "", line))
        if not (page.parent / target).exists()
    ]
    assert broken == []
