"""Folders for the data of servers: new ones, which are removed even if their owner was killed, and copies.

Invariants:
1. A folder has the permission 0700, or 0711 if another user's server has to get through it.
2. Its owner holds a lock in it. A folder whose lock nobody holds belonged to a process that was killed: the next owner
   of such a folder removes it.
"""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

__all__ = ["copy_tree", "locked", "new_folder"]

_LOCK: Final = ".looprig.lock"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - see `_temporary`
_ROOM: Final = 1 << 30
"""Number of bytes that must be free in memory. Containers have 64 MiB there, unless they are given more."""


@contextmanager
def new_folder(kind: str, within: str | os.PathLike[str] | None = None, *, passable: bool = False) -> Generator[Path]:
    """Create a folder, and remove it at the end. Remove those of the same kind that killed processes left.

    `kind` becomes a part of its name. With `passable`, other users can get through it, and through all above it.
    """
    parent = Path(within) if within is not None else _temporary(passable=passable)
    prefix = f"looprig-{kind}-"
    _sweep(parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        # Renamed once it is locked, so that nobody ever finds it unlocked.
        waiting = folder / f"{_LOCK}.new"
        with waiting.open("wb") as lock:
            _lock(lock)
            waiting.rename(folder / _LOCK)
            if passable:
                folder.chmod(0o711)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold a lock, on a file that is created and stays. Wait for whoever holds it, and not at all without locks."""
    with path.open("ab") as lock:
        with suppress(OSError):  # some network file systems have none
            _lock(lock)
        yield


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder. Files share their blocks until they change, on file systems that can do that."""
    for options in (("-R", "-p", "--reflink=auto"), ("-R", "-p", "-c")):  # GNU, macOS
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(("cp", *options, str(source), str(target)), check=True, capture_output=True)
            return
        shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def _temporary(*, passable: bool) -> Path:
    """Return a folder for temporary files: in memory where there is room, since disks take several times as long.

    With `passable`, other users can get through it.
    """
    candidates: tuple[str, ...] = (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 - folders in it are the caller's alone
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM:
        candidates = (str(_MEMORY), *candidates)
    usable = (Path(each) for each in candidates if not passable or _is_passable(Path(each)))
    return next(usable, Path(candidates[0]))


def _is_passable(folder: Path) -> bool:
    with suppress(OSError):
        return all(each.stat().st_mode & stat.S_IXOTH for each in (folder.resolve(), *folder.resolve().parents))
    return False


def _lock(file: IO[bytes], *, waits: bool = True) -> None:
    """Lock a file until it is closed. If it `waits`, for whoever holds the lock; otherwise raise `OSError` then."""
    import fcntl  # noqa: PLC0415 - POSIX only, and Windows should be able to load this module

    fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))


def _sweep(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            with (folder / _LOCK).open("rb") as lock:  # without one, it has just been created
                _lock(lock, waits=False)
                shutil.rmtree(folder, ignore_errors=True)
