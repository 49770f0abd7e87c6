"""Comparison of the errors that type checkers find in files before and after a change, function by function.

Here checkers run as users run them: with the project's configuration, on the files themselves.

Invariants:
1. Only new errors count. A checker that fails before the change is ignored.
2. An error belongs to the outermost function around it. Functions are identified by number, since lines change.
"""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, final

from looprig.check.checkers import CHECKERS
from looprig.check.checkers.base import is_required, program

__all__ = ["Errors", "InstalledChecker", "Place", "checkers_of", "number_of", "worse"]

Place: TypeAlias = tuple[Path, int]
"""A file, and the number of a function in it, or -1 for code outside functions."""
Errors: TypeAlias = Counter[Place]

_OPTIONS: Final = {
    "mypy": ("--no-pretty", "--no-error-summary", "--hide-error-context", f"--python-executable={sys.executable}"),
    "pyright": ("--pythonpath", sys.executable),
    "ty": ("check", f"--python={sys.prefix}", "--output-format=concise", "--color=never"),
    "pyrefly": ("check", "--output-format=min-text", f"--python-interpreter-path={sys.executable}"),
}
_ERROR: Final = re.compile(
    r"^[ \t]*(?:ERROR )?(?P<path>[^\s:](?:[^:\n]|:(?=[\\/]))*):(?P<line>\d+)(?::[\d:-]+)?:?(?: -)? (?P<rest>.*)$",
    re.MULTILINE,
)


@final
@dataclass(frozen=True, slots=True)
class InstalledChecker:
    """A type checker, and the command to run it."""

    name: str
    command: tuple[str, ...]

    def errors(self, root: Path, files: Iterable[Path]) -> Errors | None:
        """Return the number of errors in each function of these files, or `None` if the checker failed."""
        files = list(files)
        ran = subprocess.run(
            [*self.command, *map(str, files)],
            cwd=root,
            env={**os.environ, "NO_COLOR": "1", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if ran.returncode not in {0, 1}:
            return None
        spans = {path.resolve(): _functions_of(path.read_bytes()) for path in files}
        found: Errors = Counter()
        for said in _ERROR.finditer(ran.stdout):
            path = (root / said["path"]).resolve()
            if path in spans and (self.name == "pyrefly" or said["rest"].startswith("error")):
                found[path, _number(spans[path], int(said["line"]))] += 1
        return found


def checkers_of(root: Path, cache: Path) -> list[InstalledChecker]:
    """Return the installed checkers that a project configures or requires, or else the first one that is installed.

    `cache` is a folder for their caches.
    """
    installed = [(each, found) for each in CHECKERS if (found := program(each.name)) is not None]
    used = [(each, found) for each, found in installed if each.is_configured(root) or is_required(root, each.name)]
    return [
        InstalledChecker(
            each.name, (*found, *_OPTIONS[each.name], *((f"--cache-dir={cache}",) if each.name == "mypy" else ()))
        )
        for each, found in used or installed[:1]
    ]


def worse(before: Mapping[Place, int], after: Mapping[Place, int]) -> set[Place]:
    """Return the functions with more errors than before."""
    return {place for place, count in after.items() if count > before.get(place, 0)}


def number_of(text: bytes, line: int) -> int:
    """Return the number of the function around a line of a file, or -1 if there is none."""
    return _number(_functions_of(text), line)


def _functions_of(text: bytes) -> list[tuple[int, int]]:
    """Return the first and last lines of the functions of a file, except nested ones."""
    found: list[tuple[int, int]] = []
    left: list[ast.AST] = [ast.parse(text)]
    while left:
        node = left.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append((min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.end_lineno or 0))
        else:
            left[:0] = ast.iter_child_nodes(node)
    return found


def _number(spans: list[tuple[int, int]], line: int) -> int:
    return next((number for number, (first, last) in enumerate(spans) if first <= line <= last), -1)
