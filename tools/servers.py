"""What tests and examples use besides Python's packages: servers and a browser, on this machine or from apt-get.

Requires only the standard library, so it doesn't ask looprig's kits where servers are.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from tools.workshop import say

__all__ = ["CHROMIUM", "EVERYTHING", "POSTGRES", "REDIS", "VENV", "Needed", "bring"]


@final
@dataclass(frozen=True, slots=True)
class Needed:
    """A program or a module of Python, and the package of Debian that has it.

    `programs` are the names that the program may have, and `places` where it may be if it isn't on PATH.
    """

    name: str
    package: str
    programs: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    module: str = ""

    def is_there(self) -> bool:
        """Return whether it is on this machine."""
        if self.module:
            return importlib.util.find_spec(self.module) is not None
        on_path = any(shutil.which(program) for program in self.programs)
        return on_path or any(any(Path("/").glob(place)) for place in self.places)


VENV: Final = Needed("ensurepip", "python3-venv", module="ensurepip")
POSTGRES: Final = Needed(
    "PostgreSQL",
    "postgresql",
    ("postgres",),
    (
        "usr/lib/postgresql*/*/bin/postgres",
        "usr/pgsql-*/bin/postgres",
        "usr/libexec/postgresql*/postgres",
        "opt/homebrew/opt/postgresql@*/bin/postgres",
        "usr/local/opt/postgresql@*/bin/postgres",
    ),
)
REDIS: Final = Needed("Redis", "redis-server", ("redis-server", "valkey-server"))
CHROMIUM: Final = Needed(
    "Chromium", "chromium", ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
)
EVERYTHING: Final = (VENV, POSTGRES, REDIS, CHROMIUM)


def bring(needed: Sequence[Needed]) -> bool:
    """Install what is missing, if apt-get may be used, and return whether all is there. Report what isn't."""
    missing = [each for each in needed if not each.is_there()]
    for each in missing:
        if why := _install(each.package):
            say(f"{each.name} is not on this machine, and {why}. Debian's package is {each.package}.")
    importlib.invalidate_caches()
    return all(each.is_there() for each in missing)


def _install(package: str) -> str:
    """Install a package of Debian's, and return why that failed, or an empty string."""
    if shutil.which("apt-get") is None:
        return "neither is apt-get to install it"
    if os.geteuid() != 0:
        return "apt-get needs root to install it"
    say(f"-- apt-get install {package} ".ljust(80, "-"))
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update",), ("install", "-y", "--no-install-recommends", package)):
        done = subprocess.run(
            ("apt-get", "-qq", *command), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            return f"apt-get {command[0]} failed"
    return ""
