"""ty. Rules as of ty 0.0.107 (`ty explain rule`)."""

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, Final, final

from looprig.check.checkers.base import Checker, Command, Diagnostic, Job, configuration, program

__all__ = ["Ty"]

_LINE: Final = re.compile(r"^(?P<file>.+?):(?P<line>\d+):\d+: (?P<severity>\w+)\[(?P<code>[\w-]+)\]", re.MULTILINE)


@final
class Ty(Checker):
    name = "ty"
    mismatches: ClassVar[Collection[str]] = (
        "invalid-explicit-return",
        "invalid-return-type",
        "invalid-argument-type",
        "invalid-key",
        "missing-typed-dict-key",
    )
    invalid: ClassVar[Collection[str]] = ("invalid-type-form", "unresolved-attribute", "unresolved-reference")

    def is_configured(self, root: Path) -> bool:
        return configuration(root, "ty.toml", "ty") is not None

    def command(self, job: Job) -> Command | None:
        found = program("ty")
        if found is None:
            return None
        path = [argument for folder in job.search_path for argument in ("--extra-search-path", str(folder))]
        rules = [argument for rule in (*self.mismatches, *self.invalid) for argument in ("--error", rule)]
        options = ("--project", str(job.root), "--python", sys.prefix, "--output-format=concise", "--color=never")
        return Command((*found, "check", *options, *rules, *path, str(job.file)))

    def read(self, output: str, job: Job) -> Iterator[Diagnostic]:
        if not re.search(r"^(Found \d+ diagnostics?|All checks passed!)", output, re.MULTILINE):
            raise ValueError(output)
        for said in _LINE.finditer(output):
            if (job.root / said["file"]).resolve() == job.file and said["severity"] == "error":
                yield from self.diagnostics(int(said["line"]), said["code"])
