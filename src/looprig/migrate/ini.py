"""Removal of other async plugins' options from ini files, line by line, so that everything else stays as it is.

Invariant: a section that becomes empty stays, since pytest uses it to find the root of a suite.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from looprig.migrate.left import Left
from looprig.scopes import SCOPE_NAMES

__all__ = ["is_ini", "rewritten_ini", "test_loop_scope"]

_SECTIONS: Final = {
    "pytest.ini": {"pytest"},
    ".pytest.ini": {"pytest"},
    "tox.ini": {"pytest"},
    "setup.cfg": {"tool:pytest"},
    "pyproject.toml": {"tool.pytest.ini_options", "tool.pytest"},
    "pytest.toml": {"pytest"},
    ".pytest.toml": {"pytest"},
}
_NEEDLESS: Final = re.compile(
    r"(asyncio_mode|asyncio_default_fixture_loop_scope|asyncio_default_test_loop_scope|anyio_mode)\s*[=:]"
)
_TEST_SCOPE: Final = re.compile(r"asyncio_default_test_loop_scope\s*[=:]\s*[\"']?(\w+)")
_RENAMED: Final = re.compile(r"asyncio_debug(?=\s*[=:])")
_ADDOPTS: Final = re.compile(r"addopts\s*[=:]")
_HEADER: Final = re.compile(r"\[\[?\s*([^\]]+?)\s*\]")
_ARGUMENT: Final = r"--(?:asyncio|anyio)-mode(?:=|\s+)\w+"
_ELEMENT: Final = re.compile(rf"""(["']){_ARGUMENT}\1[ \t]*(?:,[ \t]*(?=\S)|,[ \t]*)?""")
_INLINE: Final = re.compile(rf"[ \t]*(?<![\w-]){_ARGUMENT}(?![\w-])")
_ABOUT: Final = re.compile(r"[#;].*\b(?:pytest.)?(asyncio|anyio)\b", re.IGNORECASE)
_PACKAGE: Final = re.compile(r"\b(pytest[-_]asyncio|pytest[-_]aiohttp|aiomisc[-_]pytest)\b", re.IGNORECASE)
_REQUIREMENTS: Final = re.compile(r".*requirements.*\.(txt|in)|.*\.(txt|in)")


def is_ini(path: PurePath) -> bool:
    """Return whether a file may contain pytest's options, or the packages that a suite requires."""
    return path.name in _SECTIONS or ("requirement" in str(path) and bool(_REQUIREMENTS.fullmatch(path.name)))


def rewritten_ini(path: PurePath, text: bytes) -> tuple[bytes, list[Left]]:
    """Return a file without needless options, and the required packages that its author should replace."""
    try:
        lines = text.decode("utf-8").splitlines(keepends=True)
    except UnicodeDecodeError:
        return text, []
    sections = _SECTIONS.get(path.name, set())
    new = "".join(_kept(lines, sections)).encode() if sections else text
    left = [
        Left(number, match.start() + 1, _way_without(match[1], line))
        for number, line in enumerate(new.decode("utf-8").splitlines(), 1)
        if (match := _PACKAGE.search(line)) and not line.lstrip().startswith(("#", ";"))
    ]
    return new, left


def _way_without(package: str, line: str) -> str:
    if re.match(r"""\s*["']?(ignore|error|default|once|always)\b""", line):
        return f"a filter for warnings of {package}, which looprig does not raise"
    return f"{package} is required here; require looprig in its place, once nothing needs it"


def test_loop_scope(path: PurePath, text: bytes) -> str:
    """Return the scope of tests' loops under pytest-asyncio, which is "function" if none is set."""
    lines = text.decode("utf-8", "replace").splitlines(keepends=True)
    for line, is_of_pytest in _in_sections(lines, _SECTIONS.get(path.name, set())):
        if is_of_pytest and (match := _TEST_SCOPE.match(line)) and match[1] in SCOPE_NAMES:
            return match[1]
    return SCOPE_NAMES[0]


def _in_sections(lines: list[str], sections: set[str]) -> Iterator[tuple[str, bool]]:
    """Yield each line, and whether it is in one of these sections."""
    section = ""
    for line in lines:
        if header := _HEADER.match(line):
            section = header[1].strip().strip('"')
        yield line, section in sections


def _kept(lines: list[str], sections: set[str]) -> Iterator[str]:
    waiting: list[str] = []  # comments, which are removed together with the option below if they are about it
    is_dropping = is_addopts = False
    for line, is_of_pytest in _in_sections(lines, sections):
        is_continued = line[:1] in {" ", "\t"} and bool(line.strip())
        if is_of_pytest and is_dropping and is_continued:
            continue
        is_dropping = False
        if is_of_pytest and _ABOUT.match(line):
            waiting.append(line)
            continue
        if is_of_pytest and _NEEDLESS.match(line):
            waiting.clear()
            is_dropping = True
            continue
        yield from waiting
        waiting.clear()
        if not is_of_pytest:
            yield line
            continue
        if (
            not is_continued
            and line.strip() not in {"]", ""}
            and not line.lstrip().startswith(("#", ";", '"', "'", "-"))
        ):
            is_addopts = bool(_ADDOPTS.match(line))
        yield from _arguments(line) if is_addopts else [_RENAMED.sub("loop_debug", line)]
    yield from waiting


def _arguments(line: str) -> Iterator[str]:
    """Yield a line of `addopts` without modes, or nothing if there is nothing else in the line."""
    new = _INLINE.sub("", _ELEMENT.sub("", line))
    if new == line or line.lstrip().startswith(("#", ";")):
        yield line
        return
    new = re.sub(r",\s*\]", "]", new) if "[" in new else new
    new = re.sub(r"([=:][ \t]*[\"']?)[ \t]+(?=\S)", r"\1 ", new) if _ADDOPTS.match(new) else new
    if new.strip() not in {"", ","} and not new.lstrip().startswith("#"):  # a comment was about a removed option
        yield new
