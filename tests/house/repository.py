"""The files of the repository, for tests of the repository's rules.

Invariant: only files that git tracks or would track, so that environments and caches aren't checked.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

__all__ = ["PUBLIC_PACKAGES", "ROOT", "python_files", "tracked_files"]

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLIC_PACKAGES: Final = (
    "looprig",
    "looprig.kits",
    "looprig.net",
    "looprig.net.tcp",
    "looprig.net.udp",
    "looprig.toxics",
    "looprig.toxics.udp",
)
"""The packages whose names say that they come from there."""


def tracked_files() -> list[Path]:
    """Return every file of the repository, or skip the test outside a git checkout."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listing = ("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    output = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in output.split("\0") if name and (path := ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below these folders, or below all if none is given."""
    below = [ROOT / folder for folder in folders] or [ROOT]
    return [
        path
        for path in tracked_files()
        if path.suffix in {".py", ".pyi"} and any(path.is_relative_to(folder) for folder in below)
    ]
