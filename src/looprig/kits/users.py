"""The user that a server runs as: this process's own, or an unprivileged one if that is root.

Does not start anything; it returns the words to put before a command.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from looprig.exceptions import ServiceStartError
from looprig.kits import _as_user
from looprig.location import Location

__all__ = ["User", "unprivileged"]


@final
@dataclass(frozen=True, slots=True)
class User:
    """A user, by its ids."""

    uid: int
    gid: int

    def running(self, command: Sequence[str], folder: Path) -> list[str]:
        """Return the command that runs another one as this user, in a folder, from root."""
        script = [sys.executable, "-I", "-S", _as_user.__file__]
        return [*script, str(self.uid), str(self.gid), str(folder), *command]

    def take(self, path: Path) -> None:
        """Give a file or a folder, with all that is in it, to this user."""
        os.chown(path, self.uid, self.gid)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)  # noqa: PTH118 - often


_NAMES: Final = ("postgres", "nobody")


def unprivileged(name: str | None, party: tuple[str, Location]) -> User | None:
    """Return the user to run as, or `None` for this process's own, which isn't root.

    Raises:
        ServiceStartError: there is no such user.
    """
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 - POSIX has it, and Windows should be able to load this module

    names = _NAMES if name is None else (name,)
    for candidate in names:
        try:
            entry = pwd.getpwnam(candidate)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return User(entry.pw_uid, entry.pw_gid)
    raise ServiceStartError(
        f"{party[0]} cannot run as root, and there is no other user to run it: {' or '.join(names)}.",
        [party],
        'Create one (`useradd --system postgres`) or name another: `run_as="app"`. Or run the tests as another user.',
    )
