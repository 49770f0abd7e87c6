"""The suites on a page of the documentation: the files of each, its commands, and their output.

A fenced block with a `title="..."` is a file. A fenced `console` block has commands, each after `$ ` and followed by
its output. The blocks between two headings of the second level are one suite. With the comment `<!-- one suite -->` the
whole page is one, so that a tutorial can build on earlier files. With the comment `<!-- needs: NAME -->` the suite runs
only if that package is installed, for example another async plugin, or that server: PostgreSQL or Redis.

Runs nothing; `test_examples` does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

__all__ = ["Block", "Command", "File", "Suite", "blocks_of", "suites_of"]

_FENCE: Final = re.compile(r"^(?P<ticks>`{3,})(?P<language>\w*) *(?P<info>.*)$")
_TITLE: Final = re.compile(r'title="([^"]+)"')
_NEEDS: Final = re.compile(r"<!-- needs: (\S+) -->")
_ONE_SUITE: Final = "<!-- one suite -->"


@final
@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `line` is the line of its fence, from 1."""

    language: str
    title: str | None
    text: str
    line: int


@final
@dataclass(frozen=True, slots=True)
class File:
    """A file of a suite. If a page shows it again, the later text replaces the earlier one."""

    name: str
    text: str


@final
@dataclass(frozen=True, slots=True)
class Command:
    """A command, and the output that the page shows."""

    text: str
    shown: str
    line: int


@final
@dataclass(slots=True)
class Suite:
    """The files and commands of a suite, in order."""

    page: str
    heading: str
    steps: list[File | Command] = field(default_factory=list[File | Command])
    needs: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        """The id of its test."""
        return f"{self.page}: {self.heading}"


def blocks_of(text: str) -> Iterator[Block | str]:
    """Yield the fenced blocks of a page and, between them, its other lines."""
    opening: re.Match[str] | None = None
    begun = 0
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if opening is not None:
            if line.rstrip() == opening["ticks"]:
                title = _TITLE.search(opening["info"])
                content = "".join(f"{each}\n" for each in inside)
                yield Block(opening["language"], title[1] if title else None, content, begun)
                opening = None
            else:
                inside.append(line)
        elif (opening := _FENCE.match(line)) is not None:
            begun, inside = number, []
        else:
            yield line
    if opening is not None:
        raise ValueError(f"the block that starts on line {begun} has no end")


def suites_of(page: Path, name: str) -> list[Suite]:
    """Return the suites of a page that have a command."""
    text = page.read_text("utf-8")
    whole = _ONE_SUITE in text
    suites = [Suite(name, "the page")]
    for part in blocks_of(text):
        if isinstance(part, Block):
            if part.title is not None:
                suites[-1].steps.append(File(part.title, part.text))
            elif part.language == "console":
                suites[-1].steps += _commands(part)
        elif part.startswith("## ") and not whole:
            suites.append(Suite(name, part.removeprefix("## ").strip()))
        elif (found := _NEEDS.fullmatch(part.strip())) is not None:
            suites[-1].needs.append(found[1])
    return [suite for suite in suites if any(isinstance(step, Command) for step in suite.steps)]


def _commands(block: Block) -> Iterator[Command]:
    command, shown, begun = "", list[str](), 0
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            if command:
                yield Command(command, "\n".join(shown), begun)
            command, shown, begun = line.removeprefix("$ "), [], number
        elif not command:
            raise ValueError(f"line {number} is output, but has no command above it")
        else:
            shown.append(line)
    if command:
        yield Command(command, "\n".join(shown), begun)
