"""ty. Rules as of ty 0.0.107 (`ty explain rule`)."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, final

from looprig.check.checkers.base import Command, Diagnostic, Job, program, toml_table

__all__ = ["Ty"]

_MISMATCHES: Final = (
    "invalid-explicit-return",
    "invalid-return-type",
    "invalid-argument-type",
    "invalid-key",
    "missing-typed-dict-key",
)
_INVALID: Final = ("invalid-type-form", "unresolved-attribute", "unresolved-reference")
_LINE: Final = re.compile(r"^(?P<file>.+?):(?P<line>\d+):\d+: (?P<severity>\w+)\[(?P<code>[\w-]+)\]", re.MULTILINE)


@final
class Ty:
    """See `Checker`."""

    @property
    def name(self) -> str:
        """See `Checker`."""
        return "ty"

    def is_configured(self, root: Path) -> bool:
        """See `Checker`."""
        return (root / "ty.toml").is_file() or any(True for _ in toml_table(root, "ty"))

    def command(self, job: Job) -> Command | None:
        """See `Checker`."""
        found = program("ty")
        if found is None:
            return None
        path = [argument for folder in job.search_path for argument in ("--extra-search-path", str(folder))]
        rules = [argument for rule in (*_MISMATCHES, *_INVALID) for argument in ("--error", rule)]
        options = ("--project", str(job.root), "--python", sys.prefix, "--output-format=concise", "--color=never")
        return Command((*found, "check", *options, *rules, *path, str(job.file)))

    def complaints(self, errors: str) -> str:
        """Return nothing: what it writes there is not about the project."""
        return ""

    def read(self, output: str, job: Job) -> Iterator[Diagnostic]:
        """See `Checker`."""
        if not re.search(r"^(Found \d+ diagnostics?|All checks passed!)", output, re.MULTILINE):
            raise ValueError(output)
        for said in _LINE.finditer(output):
            if (job.root / said["file"]).resolve() == job.file and said["severity"] == "error":
                if said["code"] in _MISMATCHES:
                    yield Diagnostic(int(said["line"]), "mismatch")
                elif said["code"] in _INVALID:
                    yield Diagnostic(int(said["line"]), "invalid")
