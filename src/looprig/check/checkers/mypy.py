"""mypy. Its cache is looprig's own, so that the user's is what their own runs left.

Flags and codes as of mypy 1.18 to 2.4 (`mypy --help`, and its documentation's list of error codes).
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

from looprig.check.checkers.base import Command, Diagnostic, Job, program, setup_cfg, toml_table

__all__ = ["Mypy"]

_MISMATCHES: Final = frozenset({
    "arg-type", "assignment", "dict-item", "list-item", "return-value", "type-var", "typeddict-item",
    "typeddict-unknown-key",
})  # fmt: skip
_INVALID: Final = frozenset({"attr-defined", "misc", "name-defined", "valid-type"})


@final
class Mypy:
    """See `Checker`."""

    @property
    def name(self) -> str:
        """As `Checker` says."""
        return "mypy"

    def is_configured(self, root: Path) -> bool:
        """As `Checker` says."""
        files = ("mypy.ini", ".mypy.ini")
        return (
            any((root / name).is_file() for name in files)
            or setup_cfg(root, "mypy")
            or any(True for _ in toml_table(root, "mypy"))
        )

    def command(self, job: Job) -> Command | None:
        """As `Checker` says."""
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
                f"--python-executable={sys.executable}",
                f"--cache-dir={job.cache}",
            ),
            {"MYPYPATH": os.pathsep.join(filter(None, path))},
        )

    def read(self, output: str, job: Job) -> Iterator[Diagnostic]:
        """As `Checker` says."""
        for line in output.splitlines():
            said: dict[str, Any] = json.loads(line)
            # By its name: from its cache mypy tells errors with the path of the run that found them.
            if Path(said["file"]).name == job.file.name and said["severity"] == "error":
                if said["code"] in _MISMATCHES:
                    yield Diagnostic(said["line"], "mismatch")
                elif said["code"] in _INVALID:
                    yield Diagnostic(said["line"], "invalid")
