"""Runs a small suite under looprig, every warning an error, and reads what came of it.

No other plugin is loaded unless a test names it: what is installed beside looprig must not matter here.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from textwrap import dedent
from typing import Final

import pytest

# Pytester forgets what a run imported, and the next one would import it anew.
import looprig.pytest_plugin.loops.explanation  # pyright: ignore[reportUnusedImport]
import looprig.pytest_plugin.run.activation  # pyright: ignore[reportUnusedImport]
import looprig.runtime.ask  # pyright: ignore[reportUnusedImport]

__all__ = ["HYPOTHESIS", "OPTIONS", "POLICIES_ARE_DEPRECATED", "output", "run", "run_apart", "start", "write"]

OPTIONS: Final = (
    "-Werror",
    "-ra",
    "--disable-plugin-autoload",
    *("-p", looprig.pytest_plugin.__name__),
    *("-p", "no:cacheprovider"),
)

POLICIES_ARE_DEPRECATED: Final = "-Wignore:'asyncio.:DeprecationWarning"
"""For a suite that uses event loop policies: from Python 3.14 on naming one warns."""
# On Python 3.15 it warns of its own random numbers, now and then.
HYPOTHESIS: Final = ("-p", "_hypothesis_pytestplugin", "-Wignore:It looks like `register_random` was passed")


def write(pytester: pytest.Pytester, files: Mapping[str, str]) -> None:
    """Writes files by their paths, folders included; a folder with a module in it becomes a package."""
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
        for folder in path.relative_to(pytester.path).parents:
            if str(folder) != ".":
                (pytester.path / folder / "__init__.py").touch()


def run(pytester: pytest.Pytester, suite: str | Mapping[str, str], *options: str) -> pytest.RunResult:
    """Runs one module, or several files, in this process."""
    write(pytester, {"test_it.py": suite} if isinstance(suite, str) else suite)
    return pytester.runpytest_inprocess(*OPTIONS, *options)


def run_apart(pytester: pytest.Pytester, suite: str | Mapping[str, str], *options: str) -> pytest.RunResult:
    """Runs one module, or several files, in a process of its own."""
    write(pytester, {"test_it.py": suite} if isinstance(suite, str) else suite)
    return pytester.runpytest_subprocess(*OPTIONS, *options, timeout=60)


def start(pytester: pytest.Pytester, suite: str, *options: str) -> "subprocess.Popen[str]":
    """Starts one module in a process of its own and comes back at once: to send it signals."""
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
    """All that a run printed."""
    return result.stdout.str() + "\n" + result.stderr.str()
