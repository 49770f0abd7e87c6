"""The base of type checkers: to looprig, each is a command that reports errors in single lines of one file.

Does not run anything (`run` does).

Invariants:
1. A checker uses the suite's own configuration, except where that would hide what is asked.
2. It writes only in the folders that it is given.
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
    """The file to check, in a folder of its own, for the project at `root`."""

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
    """A command, run in the project's folder. `environment` is added to the process's own."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@final
@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error of a checker in a line: two types do not fit (`mismatch`), or something isn't a type (`invalid`)."""

    line: int
    kind: Kind


class Checker(Protocol):
    """A type checker."""

    @property
    def name(self) -> str:
        """Its name on the command line."""
        ...

    def is_configured(self, root: Path) -> bool:
        """Return whether a project has a configuration for it."""
        ...

    def command(self, job: Job) -> Command | None:
        """Return the command; `None` if it is not installed. May write configuration into the job's folder."""
        ...

    def complaints(self, errors: str) -> str:
        """Return the part of its standard error that a user should read though it ran."""
        ...

    def read(self, output: str, job: Job) -> Iterable[Diagnostic]:
        """Return what it said about the job's file.

        Raises:
            ValueError: the output is not that of a checker that ran.
        """
        ...


def program(name: str) -> tuple[str, ...] | None:
    """Return how to run a program of the environment that pytest runs in, or else one on PATH."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    if beside is not None:
        return (beside,)
    if find_spec(name) is not None:
        return (sys.executable, "-m", name)
    found = shutil.which(name)
    return None if found is None else (found,)


def toml_table(root: Path, *names: str) -> Iterator[dict[str, Any]]:
    """Return the tables of these names under `tool` in pyproject.toml, if there are any."""
    try:
        tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, ValueError):
        return
    yield from (tools[name] for name in names if name in tools)


def setup_cfg(root: Path, section: str) -> bool:
    """Return whether setup.cfg has a section."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(root / "setup.cfg", "utf-8")
    except (configparser.Error, ValueError):
        return False
    return parser.has_section(section)
