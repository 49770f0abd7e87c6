"""The Pythons that the suite runs on, and where they are installed.

Doesn't install any; `tools/bring-python` does.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

__all__ = ["PYTHONS", "Python", "find_pythons", "is_python", "missing_pythons"]

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14", "3.15")


@final
@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter: its version, as `3.11`, and its path."""

    version: str
    path: str

    @property
    def age(self) -> int:
        """Its rank among the supported versions, oldest first. An unsupported version counts as the newest."""
        return PYTHONS.index(self.version) if self.version in PYTHONS else len(PYTHONS)


def find_pythons() -> list[Python]:
    """Return the running Python, then every other supported one that is found and works."""
    main = ".".join(map(str, sys.version_info[:2]))
    found = [Python(main, sys.executable)]
    for version in PYTHONS:
        if version != main:
            path = next((path for path in _candidates(version) if is_python(path, version)), None)
            found += [] if path is None else [Python(version, path)]
    return found


def missing_pythons() -> list[str]:
    """Return the supported versions that aren't found."""
    found = {python.version for python in find_pythons()}
    return [version for version in PYTHONS if version not in found]


def _candidates(version: str) -> Iterator[str]:
    """Yield the paths where a Python may be: on PATH, or where pyenv and `tools/bring-python` put it."""
    program = f"python{version}"
    for folder in os.get_exec_path():
        yield f"{folder}/{program}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in sorted(pyenv.glob(f"versions/{version}.*/bin/{program}")):
        yield str(path)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    yield str(cache / "pythons" / version / "bin" / program)


def is_python(candidate: str, version: str) -> bool:
    """Return whether this program really is that Python: pyenv's may be a script that only says it isn't installed."""
    program = "import sys, venv; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        answer = subprocess.run((candidate, "-c", program), capture_output=True, text=True, timeout=30.0, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.stdout.strip() == version
