"""pyrefly. If a project has no configuration, looprig chooses a preset, since the default one would hide mismatches.

Error kinds as of pyrefly 1.4 (its documentation's list of error kinds).
"""

import json
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar, final

from looprig.check.checkers.base import Checker, Command, Diagnostic, Job, configuration, program

__all__ = ["Pyrefly"]


@final
class Pyrefly(Checker):
    name = "pyrefly"
    mismatches: ClassVar[Collection[str]] = ("bad-return", "bad-argument-type", "bad-assignment", "bad-typed-dict-key")
    invalid: ClassVar[Collection[str]] = ("invalid-annotation", "missing-attribute", "unknown-name", "not-a-type")

    def is_configured(self, root: Path) -> bool:
        return configuration(root, "pyrefly.toml", "pyrefly") is not None

    def command(self, job: Job) -> Command | None:
        found = program("pyrefly")
        if found is None:
            return None
        own = configuration(job.root, "pyrefly.toml", "pyrefly")
        path = [argument for folder in job.search_path for argument in ("--search-path", str(folder))]
        return Command(
            (
                *found,
                "check",
                "--output-format=json",
                *(("--preset=default",) if own is None else ("--config", str(own))),
                *(argument for name in self.mismatches for argument in ("--error", name)),
                "--python-interpreter-path",
                sys.executable,
                *path,
                str(job.file),
            )
        )

    def read(self, output: str, job: Job) -> Iterator[Diagnostic]:
        found: dict[str, Any] = json.loads(output[output.find("{") :])
        for said in found["errors"]:
            if (job.root / said["path"]).resolve() == job.file and said["severity"] == "error":
                yield from self.diagnostics(said["line"], said["name"])
