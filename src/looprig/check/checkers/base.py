"""The base class of type checkers. Each is a command that reports errors on lines of one file.

Does not run anything (`run` does).

Invariants:
1. A checker uses the suite's own configuration, except for settings that would hide mismatches.
2. It writes only in the folders that it is given.
"""

import configparser
import re
import shutil
import sys
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, final

__all__ = [
    "Checker",
    "Command",
    "Diagnostic",
    "Job",
    "configuration",
    "has_section",
    "has_table",
    "is_required",
    "program",
]

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
        """The path of the file to check."""
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
    """An error on a line: a type doesn't match (`mismatch`), or something isn't a type (`invalid`)."""

    line: int
    kind: Kind


class Checker(ABC):
    """A type checker. `name` is its name on the command line.

    `mismatches` and `invalid` are the codes of the errors that matter: those for types that don't match, and those for
    something that isn't a type. `untyped` is why it may not know a class of an installed package without `py.typed`.
    """

    name: ClassVar[str]
    mismatches: ClassVar[Collection[str]]
    invalid: ClassVar[Collection[str]]
    untyped: ClassVar[str] = "its configuration skips the module, or the package declares no types"

    @abstractmethod
    def is_configured(self, root: Path) -> bool:
        """Return whether a project has a configuration for it."""

    @abstractmethod
    def command(self, job: Job) -> Command | None:
        """Return the command, or `None` if the checker isn't installed. May write configuration to the job's folder."""

    def complaints(self, errors: str) -> str:
        """Return the part of the checker's standard error that users should see even if the checker succeeded."""
        return ""

    @abstractmethod
    def read(self, output: str, job: Job) -> Iterable[Diagnostic]:
        """Return the errors that the checker reported in the job's file.

        Raises:
            ValueError: the checker did not run properly, judging by its output.
        """

    def diagnostics(self, line: int, code: str) -> Iterator[Diagnostic]:
        """Yield a diagnostic for an error with this code, if the error matters."""
        if code in self.mismatches:
            yield Diagnostic(line, "mismatch")
        elif code in self.invalid:
            yield Diagnostic(line, "invalid")


def program(name: str) -> tuple[str, ...] | None:
    """Return the command for a program in the environment that pytest runs in, or else on PATH."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    if beside is not None:
        return (beside,)
    if find_spec(name) is not None:
        return (sys.executable, "-m", name)
    found = shutil.which(name)
    return None if found is None else (found,)


def has_table(root: Path, name: str) -> bool:
    """Return whether pyproject.toml has a table of this name under `tool`."""
    try:
        return name in tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False


def is_required(root: Path, name: str) -> bool:
    """Return whether a package is one of those that pyproject.toml lists for development: in a group, or an extra."""
    try:
        found = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
        groups: list[Any] = [
            *found.get("dependency-groups", {}).values(),
            *found.get("project", {}).get("optional-dependencies", {}).values(),
        ]
    except (OSError, ValueError, AttributeError):  # the last one: tables that aren't tables
        return False
    wanted = re.compile(rf"\s*{re.escape(name)}(?![\w.-])", re.IGNORECASE)
    return any(wanted.match(str(each)) for group in groups if hasattr(group, "__iter__") for each in group)


def configuration(root: Path, file: str, table: str) -> Path | None:
    """Return the file that configures a checker: its own file, or pyproject.toml if that has the table."""
    if (own := root / file).is_file():
        return own
    return root / "pyproject.toml" if has_table(root, table) else None


def has_section(root: Path, section: str) -> bool:
    """Return whether setup.cfg has a section."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(root / "setup.cfg", "utf-8")
    except (configparser.Error, ValueError):
        return False
    return parser.has_section(section)
