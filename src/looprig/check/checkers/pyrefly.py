"""pyrefly. Without a configuration its preset would hide mismatches, so then looprig chooses one.

Error kinds as of pyrefly 1.4 (its documentation's list of error kinds).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

from looprig.check.checkers.base import Command, Diagnostic, Job, program, toml_table

__all__ = ["Pyrefly"]

_MISMATCHES: Final = ("bad-return", "bad-argument-type", "bad-assignment", "bad-typed-dict-key")
_INVALID: Final = ("invalid-annotation", "missing-attribute", "unknown-name", "not-a-type")


@final
class Pyrefly:
    """See `Checker`."""

    @property
    def name(self) -> str:
        """See `Checker`."""
        return "pyrefly"

    def is_configured(self, root: Path) -> bool:
        """See `Checker`."""
        return self._configuration(root) is not None

    def command(self, job: Job) -> Command | None:
        """See `Checker`."""
        found = program("pyrefly")
        if found is None:
            return None
        own = self._configuration(job.root)
        path = [argument for folder in job.search_path for argument in ("--search-path", str(folder))]
        return Command(
            (
                *found,
                "check",
                "--output-format=json",
                *(("--preset=default",) if own is None else ("--config", str(own))),
                *(argument for name in _MISMATCHES for argument in ("--error", name)),
                "--python-interpreter-path",
                sys.executable,
                *path,
                str(job.file),
            )
        )

    def complaints(self, errors: str) -> str:
        """Return nothing: what it writes there is not about the project."""
        return ""

    def read(self, output: str, job: Job) -> Iterator[Diagnostic]:
        """See `Checker`."""
        found: dict[str, Any] = json.loads(output[output.find("{") :])
        for said in found["errors"]:
            if (job.root / said["path"]).resolve() == job.file and said["severity"] == "error":
                if said["name"] in _MISMATCHES:
                    yield Diagnostic(said["line"], "mismatch")
                elif said["name"] in _INVALID:
                    yield Diagnostic(said["line"], "invalid")

    @staticmethod
    def _configuration(root: Path) -> Path | None:
        if (own := root / "pyrefly.toml").is_file():
            return own
        return root / "pyproject.toml" if any(True for _ in toml_table(root, "pyrefly")) else None
