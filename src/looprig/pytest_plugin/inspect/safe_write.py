"""Files that are written, and put back as they were if pytest then collects something else.

Invariant: in the end each file has its old text or its new one, and collection gives what it gave before.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

__all__ = ["write_safely"]

_TIMES: Final = re.compile(r"\b(in )?\d+\.\d+s\b")


def write_safely(texts: Mapping[Path, bytes], config: pytest.Config) -> list[Path]:
    """Write files, and return those that had to be put back."""
    before = _collected(config)
    return sorted(_write(sorted(texts), texts, config, before))


def _write(paths: list[Path], texts: Mapping[Path, bytes], config: pytest.Config, before: object) -> list[Path]:
    old = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.write_bytes(texts[path])
    if _collected(config) == before:
        return []
    for path, text in old.items():
        path.write_bytes(text)
    if len(paths) == 1:
        return paths
    middle = len(paths) // 2
    return [
        *_write(paths[:middle], texts, config, before),
        *_write(paths[middle:], texts, config, before),
    ]


def _collected(config: pytest.Config) -> object:
    """Return what another process collects with the same arguments, and its exit status."""
    arguments = [each for each in config.invocation_params.args if not str(each).startswith("--annotate-fixtures")]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, arguments), "--collect-only", "-qq", "-p", "no:cacheprovider"],
        cwd=config.invocation_params.dir,
        env={key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return ran.returncode, _TIMES.sub("", ran.stdout)
