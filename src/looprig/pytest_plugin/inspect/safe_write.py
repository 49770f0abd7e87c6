"""Writing annotations, and undoing those that make anything worse.

Invariants:
1. In the end, pytest collects the same as before. A file with which it doesn't is restored.
2. In the end, no type checker that the project configures or requires reports more errors in a function than before. A
   function with more errors is restored.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

import pytest

from looprig.check.annotate import Annotation
from looprig.check.compare import Place, checkers_of, number_of, worse
from looprig.check.wrap import line_length
from looprig.pytest_plugin.inspect.caches import checker_cache

__all__ = ["SafeWriter"]

_CACHE: Final = "looprig-annotations"
_ROUNDS: Final = 4
_TIMES: Final = re.compile(r"\b(in )?\d+\.\d+s\b")


@final
@dataclass(frozen=True, slots=True)
class SafeWriter:
    """The annotations of one run, by file."""

    config: pytest.Config
    annotations: Mapping[Path, list[Annotation]]
    taken_back: dict[Annotation, str] = field(default_factory=dict[Annotation, str])
    """The reasons for the annotations that were undone."""
    _before: dict[Path, bytes] = field(default_factory=dict[Path, bytes])

    def write(self) -> None:
        """Write the annotations, except those that make something worse."""
        self._before.update({path: path.read_bytes() for path in self.annotations})
        collected = self._collected()
        self._check()
        self._collect(sorted(self.annotations), collected)

    def _put(self, paths: Iterable[Path]) -> None:
        from looprig.check.rewrite import rewritten  # noqa: PLC0415 - libcst

        for path in paths:
            kept = [each for each in self.annotations[path] if each not in self.taken_back]
            before = self._before[path]
            path.write_bytes(rewritten(before, kept, line_length(self.config.rootpath)) if kept else before)

    # Type checkers

    def _check(self) -> None:
        root = self.config.rootpath
        with checker_cache(self.config, _CACHE) as cache:
            checkers = [(each, each.errors(root, self._before)) for each in checkers_of(root, cache)]
            self._put(self._before)
            for _ in range(_ROUNDS):
                found: dict[Place, str] = {}
                for checker, before in checkers:
                    after = None if before is None else checker.errors(root, self._before)
                    found |= dict.fromkeys(worse(before or {}, after or {}), checker.name)
                if not self._take_back(found):
                    break
                self._put(self._before)

    def _take_back(self, found: Mapping[Place, str]) -> bool:
        """Undo the annotations of functions in which checkers report more errors. Return whether any were undone."""
        count = len(self.taken_back)
        for (path, number), checker in found.items():
            for each in self.annotations[path]:
                own = number_of(self._before[path], each.spot.line)
                if number == own or (number < 0 and each.imports):
                    self.taken_back.setdefault(each, f"{checker} would find more errors")
        return len(self.taken_back) > count

    # Collection

    def _collect(self, paths: list[Path], before: object) -> None:
        """Restore the files with which pytest doesn't collect the same as before. Find them by bisection."""
        self._put(paths)
        if self._collected() == before:
            return
        for path in paths:
            path.write_bytes(self._before[path])
        if len(paths) == 1:
            self.taken_back.update(dict.fromkeys(self.annotations[paths[0]], "pytest would collect something else"))
            return
        middle = len(paths) // 2
        self._collect(paths[:middle], before)
        self._collect(paths[middle:], before)

    def _collected(self) -> object:
        """Return the output and exit status of another process that collects with the same arguments."""
        called = self.config.invocation_params
        arguments = [str(each) for each in called.args if not str(each).startswith("--annotate-fixtures")]
        with tempfile.TemporaryDirectory(prefix="looprig-cache-") as spare:
            # Without the cache plugin, pytest would not know the option.
            cached = ("-o", f"cache_dir={spare}") if self.config.pluginmanager.hasplugin("cacheprovider") else ()
            ran = subprocess.run(
                [sys.executable, "-m", "pytest", *arguments, "--collect-only", "-qq", *cached],
                cwd=called.dir,
                env={key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        return ran.returncode, _TIMES.sub("", ran.stdout)
