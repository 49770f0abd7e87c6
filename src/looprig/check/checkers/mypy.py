"""mypy. It uses looprig's own cache, so that the user's stays as it is.

Flags and codes as of mypy 1.18 to 2.4 (`mypy --help`, and its documentation's list of error codes).
"""

import json
import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final, final

from looprig.check.checkers.base import Checker, Command, Diagnostic, Job, has_section, has_table, program

__all__ = ["Mypy", "forbids_incomplete"]

_CONFIGURATIONS: Final = ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg")


_REPORT: Final = re.compile(r"^\s*(\w+_report|junit_xml)\s*=", re.MULTILINE)


def _reports(job: Job) -> Iterator[str]:
    """Yield options that redirect the project's reports to the job's folder, since they describe generated code."""
    for name in _CONFIGURATIONS:
        with suppress(OSError):
            for option in _REPORT.findall((job.root / name).read_text("utf-8", "replace")):
                yield f"--{option.replace('_', '-')}={job.folder / option}"


_STRICT: Final = re.compile(
    r"^\s*(strict|disallow_incomplete_defs)\s*=\s*(true|yes|on|1)\s*(#.*)?$", re.IGNORECASE | re.MULTILINE
)


def forbids_incomplete(root: Path) -> bool:
    """Return whether a project's configuration forbids partially annotated functions in any of its modules."""
    texts: list[str] = []
    for name in _CONFIGURATIONS:
        with suppress(OSError):
            texts.append((root / name).read_text("utf-8", "replace"))
    return any("mypy" in text and _STRICT.search(text) for text in texts)


@final
class Mypy(Checker):
    name = "mypy"
    mismatches: ClassVar[Collection[str]] = frozenset({
        "arg-type", "assignment", "dict-item", "list-item", "return-value", "type-var", "typeddict-item",
        "typeddict-unknown-key",
    })  # fmt: skip
    invalid: ClassVar[Collection[str]] = frozenset({"attr-defined", "misc", "name-defined", "valid-type"})
    untyped: ClassVar[str] = (
        "the package declares no types. Install stubs for it, or have mypy read it: follow_untyped_imports = true"
    )

    def is_configured(self, root: Path) -> bool:
        return (
            any((root / name).is_file() for name in _CONFIGURATIONS[:2])
            or has_section(root, "mypy")
            or has_table(root, "mypy")
        )

    def command(self, job: Job) -> Command | None:
        found = program("mypy")
        if found is None:
            return None
        path = [*map(str, job.search_path), os.environ.get("MYPYPATH", "")]
        return Command(
            (
                *found,
                "--module",
                job.module,
                "--output=json",
                "--no-error-summary",
                "--hide-error-context",
                "--no-warn-unused-configs",
                "--no-install-types",
                "--interactive",  # `non_interactive` requires `install_types`
                f"--python-executable={sys.executable}",
                f"--cache-dir={job.cache}",
                *_reports(job),
            ),
            {"MYPYPATH": os.pathsep.join(filter(None, path))},
        )

    def complaints(self, errors: str) -> str:
        """Return mypy's complaints about the configuration."""
        return errors.strip()

    def read(self, output: str, job: Job) -> Iterator[Diagnostic]:
        for line in output.splitlines():
            if not line.startswith("{"):  # some settings make it more verbose
                continue
            said: dict[str, Any] = json.loads(line)
            # Compare file names, since mypy reports errors from its cache with the path of the run that found them.
            if Path(said["file"]).name == job.file.name and said["severity"] == "error":
                yield from self.diagnostics(said["line"], said["code"])
