"""The data folder of a PostgreSQL server ("cluster"), which `initdb` makes once for each version and set of options.

Kept in the user's cache folder as a template, and copied for each server: a copy takes a fraction of the time. Does not
start servers.

Invariants:
1. A template is complete: it is built under another name and renamed.
2. Of several processes that need the same template at once, one makes it and the others wait.
3. Without a cache folder that can be written, `initdb` runs each time.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from looprig.exceptions import ServiceStartError
from looprig.kits.folders import copy_tree, locked
from looprig.kits.programs import Found
from looprig.kits.users import User
from looprig.location import Location

__all__ = ["OPTIONS", "make_cluster", "remove_segment"]

OPTIONS: Final = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
_SEGMENT: Final = 6
"""The line of `postmaster.pid` with the key and the number of the server's segment. A server that ends removes it."""
_UNUSED: Final = 30 * 24 * 3600.0
"""Seconds after which a template that no server was made from is removed: of another version, most likely."""


def make_cluster(
    data: Path, found: Found, options: Sequence[str], user: User | None, party: tuple[str, Location]
) -> None:
    """Make a data folder, which must not exist yet but whose parent must. Blocks for about a second the first time.

    Raises:
        ServiceStartError: `initdb` failed.
    """
    cache = _cache_folder()
    if cache is None:
        _initialize(data, found, options, user, party)
        return
    told = "\n".join((found.told, str((found.folder / "initdb").resolve()), *options))
    name = f"postgres-{found.version}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    template = cache / name
    with locked(cache / f"{name}.lock"):
        if not template.is_dir():
            _initialize(data, found, options, user, party)
            _keep(data, template)
            return
        os.utime(template)
    copy_tree(template, data)
    data.chmod(0o700)
    if user is not None:
        user.take(data)


def remove_segment(data: Path) -> None:
    """Remove the small shared memory segment of a server that was killed, which the system would keep for good."""
    with suppress(OSError, IndexError, ValueError, subprocess.SubprocessError):
        _key, number = (data / "postmaster.pid").read_text("utf-8").splitlines()[_SEGMENT].split()
        subprocess.run(("ipcrm", "-m", number), check=True, capture_output=True)


def _initialize(
    data: Path, found: Found, options: Sequence[str], user: User | None, party: tuple[str, Location]
) -> None:
    command = [str(found.folder / "initdb"), "--pgdata", str(data), *options]
    if user is not None:  # it can't create anything in the parent
        data.mkdir(0o700)
        user.take(data)
        command = user.running(command, data)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False)
    if done.returncode != 0:
        shown = "\n".join(f"    {line}" for line in done.stdout.strip().splitlines())
        raise ServiceStartError(
            f"{party[0]} has no data: initdb ended with exit status {done.returncode}.",
            [party],
            f"It printed:\n{shown}",
        )


def _keep(data: Path, template: Path) -> None:
    """Keep a copy of a data folder as a template, if there is room for it. The caller holds its lock."""
    building = template.with_name(f"{template.name}.building")
    shutil.rmtree(building, ignore_errors=True)  # left by a process that was killed
    try:
        copy_tree(data, building)
        building.rename(template)
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
    for old in template.parent.glob("postgres-*"):
        with suppress(OSError):
            if old.is_dir() and old.stat().st_mtime < time.time() - _UNUSED:
                shutil.rmtree(old)


def _cache_folder() -> Path | None:
    """Return the folder for templates, or `None` if nothing can be kept."""
    given = os.environ.get("XDG_CACHE_HOME")
    usual = "Library/Caches" if sys.platform == "darwin" else ".cache"
    try:
        folder = (Path(given) if given else Path.home() / usual) / "looprig"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None
