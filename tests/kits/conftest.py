"""Shared by the tests of the kits: the servers' programs, and a cache folder of their own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.limits import no_hang
from tests.running import Run, run

__all__ = ["Run", "no_hang", "run"]


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what `initdb` makes in a folder of the run's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "looprig"


@pytest.fixture
def passable() -> Iterator[Path]:
    """Create a folder that every user can read, as those of pytest can't be: servers may run as another user."""
    folder = Path(tempfile.mkdtemp(prefix="looprig-tests-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def script(path: Path, text: str) -> Path:
    """Write a program in shell."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def is_gone(pid: int) -> bool:
    """Return whether a process has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
