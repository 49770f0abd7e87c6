"""Helpers to run a small suite under looprig, with every warning an error, and to read the results.

Other plugins are loaded only if a test names them, so that installed plugins don't matter here.
"""

import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping
from textwrap import dedent
from typing import Final

import pytest

import looprig.declare
import looprig.plan
import looprig.pytest_plugin
import looprig.runtime
import looprig.watch

# Pytester forgets what a run imported, so the next run would import it again, as other classes than the public names.
for package in (looprig.declare, looprig.plan, looprig.pytest_plugin, looprig.runtime, looprig.watch):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
# Python 3.11 may crash if this is imported again.
importlib.import_module("multiprocessing.synchronize")

__all__ = [
    "HYPOTHESIS",
    "KEEPING",
    "OPTIONS",
    "POLICIES_ARE_DEPRECATED",
    "output",
    "run",
    "run_apart",
    "start",
    "write",
]

OPTIONS: Final = (
    "-Werror",
    "-ra",
    "--disable-plugin-autoload",
    *("-p", looprig.pytest_plugin.__name__),
    *("-p", "no:cacheprovider"),
)

KEEPING: Final = OPTIONS[:-2]
"""With pytest's cache, which also holds the type checkers' caches."""

POLICIES_ARE_DEPRECATED: Final = "-Wignore:'asyncio.:DeprecationWarning"
"""For suites that use event loop policies: from Python 3.14 on, using one warns."""
HYPOTHESIS: Final = ("-p", "_hypothesis_pytestplugin")


def write(pytester: pytest.Pytester, files: Mapping[str, str]) -> None:
    """Write files by path, with their folders. A folder that contains a module becomes a package."""
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
        for folder in path.relative_to(pytester.path).parents:
            if str(folder) != ".":
                (pytester.path / folder / "__init__.py").touch()


def run(pytester: pytest.Pytester, suite: str | Mapping[str, str], *options: str) -> pytest.RunResult:
    """Run one module, or several files, in this process."""
    write(pytester, {"test_it.py": suite} if isinstance(suite, str) else suite)
    return pytester.runpytest_inprocess(*OPTIONS, *options)


def run_apart(pytester: pytest.Pytester, suite: str | Mapping[str, str], *options: str) -> pytest.RunResult:
    """Run one module, or several files, in another process."""
    write(pytester, {"test_it.py": suite} if isinstance(suite, str) else suite)
    return pytester.runpytest_subprocess(*OPTIONS, *options, timeout=60)


def start(pytester: pytest.Pytester, suite: str, *options: str) -> "subprocess.Popen[str]":
    """Start one module in another process and return at once, so that a test can send signals to it."""
    write(pytester, {"test_it.py": suite})
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", *OPTIONS, *options],
        cwd=pytester.path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output(result: pytest.RunResult) -> str:
    """Return everything that a run printed."""
    return result.stdout.str() + "\n" + result.stderr.str()
