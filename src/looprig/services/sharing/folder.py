"""The folder in which the processes of one run meet: the host's socket, its log, and the lock.

Does not start or talk to a host (`launch` and `user` do).

Invariants:
1. The folder belongs to this user, and nobody else can look into it. So whoever connects to the socket in it is this
   user, which is why pickles may be read from there.
2. Whoever starts a host, connects a new user, or removes the folder, holds the lock. The kernel releases the lock of a
   process that dies.
3. A lock counts only in the folder that still exists: the last process to leave removes the folder.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from looprig.exceptions import LooprigError

__all__ = ["RunFolder"]

_LONGEST: Final = 90
"""Most bytes of the path of a socket that every system accepts, less a few."""

_SHOWN: Final = 30
"""Number of lines of the host's log that an error shows."""


@final
@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run, which need not exist."""

    path: Path

    @classmethod
    def of(cls, run: str) -> "RunFolder":
        """Return the folder of the run with this id."""
        name = f"looprig-{os.geteuid()}-{hashlib.sha256(run.encode()).hexdigest()[:16]}"
        folder = Path(tempfile.gettempdir()) / name
        return cls(folder if len(os.fsencode(folder)) <= _LONGEST else Path("/tmp") / name)  # noqa: S108 - checked

    @property
    def socket(self) -> Path:
        """The path of the host's socket."""
        return self.path / "socket"

    @property
    def log(self) -> Path:
        """The file that the host prints to."""
        return self.path / "log"

    @property
    def marker(self) -> Path:
        """The file that exists once a host has been started. The host writes its process id to it."""
        return self.path / "host"

    @property
    def lock(self) -> Path:
        """The file that is locked."""
        return self.path / "lock"

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Hold the lock in this block. Create the folder if there is none.

        Raises:
            LooprigError: the folder isn't this user's alone.
        """
        import fcntl  # noqa: PLC0415 - POSIX only

        while True:
            self._make()
            try:
                descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except FileNotFoundError:  # the folder was removed in between
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if self._is_current(descriptor):
                    yield
                    return
            finally:
                os.close(descriptor)

    def try_lock(self) -> int | None:
        """Return a descriptor that holds the lock until it is closed, or `None` if another process holds it."""
        import fcntl  # noqa: PLC0415 - POSIX only

        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        if not self._is_current(descriptor):
            os.close(descriptor)
            return None
        return descriptor

    def _is_current(self, descriptor: int) -> bool:
        held = os.fstat(descriptor)
        try:
            there = self.lock.lstat()
        except FileNotFoundError:
            return False
        return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)

    def _make(self) -> None:
        with suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
        with suppress(FileNotFoundError):
            found = os.lstat(self.path)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
                raise LooprigError(
                    f"{self.path} isn't a folder that belongs to this user alone, so services of scope "
                    '"run" can\'t be shared through it.',
                    (),
                    "Remove it, or set TMPDIR to another folder.",
                )

    def remove(self) -> None:
        """Remove the folder. The caller holds the lock."""
        shutil.rmtree(self.path, ignore_errors=True)

    def remove_if_left(self) -> None:
        """Remove the folder if its host was killed, so that nobody holds the lock."""
        lock = self.try_lock() if self.path.exists() else None
        if lock is not None:
            self.remove()
            os.close(lock)

    def printed(self) -> str:
        """Return the last lines of what the host printed, to show in an error."""
        try:
            lines = self.log.read_text("utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        if not lines:
            return "It printed nothing."
        cut = [f"    ... ({len(lines) - _SHOWN} lines before)"] if len(lines) > _SHOWN else []
        return "\n".join(["It printed:", *cut, *(f"    {line}" for line in lines[-_SHOWN:])])
