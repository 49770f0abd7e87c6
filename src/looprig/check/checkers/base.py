"""What a type checker is to looprig: a command, and what it says about single lines of one file.

Does not run anything (`run` does).

Invariants:
1. A checker uses the suite's own configuration, except where that would hide what is asked.
2. It writes nothing beside the folders it is given.
"""

import configparser
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, final

__all__ = ["Checker", "Command", "Diagnostic", "Job", "program", "setup_cfg", "toml_table"]

Kind = Literal["mismatch", "invalid"]


@final
@dataclass(frozen=True, slots=True)
class Job:
    """What is to be checked: one file, in a folder of its own, for the project at `root`."""

    root: Path
    folder: Path
    module: str
    search_path: tuple[Path, ...]
    cache: Path

    @property
    def file(self) -> Path:
        """The file."""
        return self.folder / f"{self.module}.py"


@final
@dataclass(frozen=True, slots=True)
class Command:
    """A command, run in the project's folder. `environment` is what it needs beside the process's own."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@final
@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What a checker said of a line: two types do not fit (`mismatch`), or something is no type (`invalid`)."""

    line: int
    kind: Kind


class Checker(Protocol):
    """A type checker."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        ...

    def is_configured(self, root: Path) -> bool:
        """Whether a project has a configuration for it."""
        ...

    def command(self, job: Job) -> Command | None:
        """What runs it; `None` where it is not installed. May write configuration into the job's folder."""
        ...

    def complaints(self, errors: str) -> str:
        """What of its standard error a user should read though it has run."""
        ...

    def read(self, output: str, job: Job) -> Iterable[Diagnostic]:
        """What it said of the job's file.

        Raises:
            ValueError: this is not what it says when it has run.
        """
        ...


def program(name: str) -> tuple[str, ...] | None:
    """What runs a program of the environment that pytest runs in, or else one on PATH."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    if beside is not None:
        return (beside,)
    if find_spec(name) is not None:
        return (sys.executable, "-m", name)
    found = shutil.which(name)
    return None if found is None else (found,)


def toml_table(root: Path, *names: str) -> Iterator[dict[str, Any]]:
    """The tables of these names under `tool` in pyproject.toml, where there are any."""
    try:
        tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, ValueError):
        return
    yield from (tools[name] for name in names if name in tools)


def setup_cfg(root: Path, section: str) -> bool:
    """Whether setup.cfg has a section."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(root / "setup.cfg", "utf-8")
    except (configparser.Error, ValueError):
        return False
    return parser.has_section(section)
