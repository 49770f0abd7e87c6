"""pyright. It takes a configuration or files, so it is given a configuration that extends the project's own.

Rules as of pyright 1.1.400 to 1.1.414 (its configuration documentation).
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

from looprig.check.checkers.base import Command, Diagnostic, Job, program, toml_table

__all__ = ["Pyright"]

_MISMATCHES: Final = ("reportReturnType", "reportArgumentType", "reportAssignmentType")
_INVALID: Final = (
    "reportAttributeAccessIssue",
    "reportGeneralTypeIssues",
    "reportInvalidTypeForm",
    "reportUndefinedVariable",
)


@final
class Pyright:
    """See `Checker`."""

    @property
    def name(self) -> str:
        """See `Checker`."""
        return "pyright"

    def is_configured(self, root: Path) -> bool:
        """See `Checker`."""
        return self._configuration(root) is not None

    def command(self, job: Job) -> Command | None:
        """See `Checker`."""
        found = program("pyright")
        if found is None:
            return None
        settings: dict[str, Any] = {"include": [job.file.name], "exclude": [], "ignore": [], "strict": []}
        settings |= dict.fromkeys((*_MISMATCHES, *_INVALID), "error")
        own = self._configuration(job.root)
        if own is not None:
            settings["extends"] = str(own)
        if own is None or "stubPath" not in own.read_text("utf-8", "replace"):
            settings["stubPath"] = str(job.root / "typings")  # its default, which is beside the configuration
        configuration = job.folder / "pyrightconfig.json"
        configuration.write_text(json.dumps(settings), "utf-8")
        path = [*map(str, job.search_path), os.environ.get("PYTHONPATH", "")]
        return Command(
            (*found, "--project", str(configuration), "--outputjson", "--pythonpath", sys.executable),
            {
                "PYTHONPATH": os.pathsep.join(filter(None, path)),
                "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
            },
        )

    def complaints(self, errors: str) -> str:
        """Return nothing: what it writes there is not about the project."""
        return ""

    def read(self, output: str, job: Job) -> Iterator[Diagnostic]:
        """See `Checker`."""
        found: dict[str, Any] = json.loads(output[output.find("{") :])
        for said in found["generalDiagnostics"]:
            if said["severity"] == "error" and Path(said["file"]).resolve() == job.file:
                line: int = said["range"]["start"]["line"] + 1
                if said.get("rule") in _MISMATCHES:
                    yield Diagnostic(line, "mismatch")
                elif said.get("rule") in _INVALID:
                    yield Diagnostic(line, "invalid")

    @staticmethod
    def _configuration(root: Path) -> Path | None:
        if (own := root / "pyrightconfig.json").is_file():
            return own
        return root / "pyproject.toml" if any(True for _ in toml_table(root, "pyright")) else None
