"""The files of a suite on disk, and the suite's root folder.

Skips virtual environments, caches, and build folders.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Final

from looprig.migrate.ini import is_ini

__all__ = ["read", "root_of"]

_MARKS_OF_A_ROOT: Final = ("pyproject.toml", "pytest.ini", "pytest.toml", "tox.ini", "setup.cfg", "setup.py", ".git")
_SKIPPED: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})


def root_of(path: Path) -> Path:
    """Return the folder at or above a path that has the suite's ini file, or else the path's own folder."""
    folder = path if path.is_dir() else path.parent
    for each in (folder, *folder.parents):
        if any((each / name).exists() for name in _MARKS_OF_A_ROOT):
            return each
    return folder


def read(roots: Iterable[Path], paths: Iterable[Path]) -> dict[PurePath, bytes]:
    """Return the text of each file of a suite, by its absolute path."""
    found = {path for root in roots for path in _below(root)}
    for path in paths:
        found.update(_below(path) if path.is_dir() else [path])
    return {path: path.read_bytes() for path in sorted(found)}


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_skipped(Path(folder, name)))
        for name in names:
            path = Path(folder, name)
            if path.is_file() and (path.suffix == ".py" or is_ini(path.relative_to(root))):
                yield path


def _is_skipped(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _SKIPPED or (folder / "pyvenv.cfg").exists()
