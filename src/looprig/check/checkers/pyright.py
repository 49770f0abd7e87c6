"""pyright. It accepts either a configuration or files, so looprig writes a configuration that extends the project's.

Rules as of pyright 1.1.400 to 1.1.414 (its configuration documentation).
"""

import json
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar, final

from looprig.check.checkers.base import Checker, Command, Diagnostic, Job, configuration, program

__all__ = ["Pyright"]


@final
class Pyright(Checker):
    name = "pyright"
    mismatches: ClassVar[Collection[str]] = ("reportReturnType", "reportArgumentType", "reportAssignmentType")
    invalid: ClassVar[Collection[str]] = (
        "reportAttributeAccessIssue",
        "reportGeneralTypeIssues",
        "reportInvalidTypeForm",
        "reportUndefinedVariable",
    )

    def is_configured(self, root: Path) -> bool:
        return configuration(root, "pyrightconfig.json", "pyright") is not None

    def command(self, job: Job) -> Command | None:
        found = program("pyright")
        if found is None:
            return None
        settings: dict[str, Any] = {"include": [job.file.name], "exclude": [], "ignore": [], "strict": []}
        settings |= dict.fromkeys((*self.mismatches, *self.invalid), "error")
        own = configuration(job.root, "pyrightconfig.json", "pyright")
        if own is not None:
            settings["extends"] = str(own)
        if own is None or "stubPath" not in own.read_text("utf-8", "replace"):
            settings["stubPath"] = str(job.root / "typings")  # pyright's default is the folder of the configuration
        made = job.folder / "pyrightconfig.json"
        made.write_text(json.dumps(settings), "utf-8")
        path = [*map(str, job.search_path), os.environ.get("PYTHONPATH", "")]
        return Command(
            (*found, "--project", str(made), "--outputjson", "--pythonpath", sys.executable),
            {
                "PYTHONPATH": os.pathsep.join(filter(None, path)),
                "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
            },
        )

    def read(self, output: str, job: Job) -> Iterator[Diagnostic]:
        found: dict[str, Any] = json.loads(output[output.find("{") :])
        for said in found["generalDiagnostics"]:
            if said["severity"] == "error" and Path(said["file"]).resolve() == job.file:
                line: int = said["range"]["start"]["line"] + 1
                yield from self.diagnostics(line, said.get("rule", ""))
