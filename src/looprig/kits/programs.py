"""Programs of servers: where they are, which version they have, and how to get them.

Looks on PATH, then in the places where packages put programs that they keep off PATH. Does not install anything.
"""

import functools
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from looprig.exceptions import ServiceStartError
from looprig.location import Location

__all__ = ["POSTGRES", "REDIS", "Found", "Kit"]


@final
@dataclass(frozen=True, slots=True)
class Kit:
    """A server's programs.

    Attributes:
        title: its name, as its users write it.
        programs: the programs that have to be in one folder; the first is the server. An alternative is a tuple.
        places: patterns of folders.
        install: how to install it, by system.
    """

    title: str
    programs: tuple[tuple[str, ...], ...]
    places: tuple[str, ...]
    install: tuple[str, ...]

    def find(self, *, folder: Path | None, version: int | None, party: tuple[str, Location]) -> "Found":
        """Return the server on PATH, or else the newest one.

        Raises:
            ServiceStartError: there is none, or none of that version.
        """
        usable: list[Found] = []
        for candidate in [folder] if folder else self.folders():
            found = _found(self, candidate)
            if found is not None and version in {None, found.version}:
                return found
            usable += filter(None, [found])
        others = ", ".join(f"{each.version} in {each.folder}" for each in usable)
        wanted = f"{self.title} {version}" if version else self.title
        raise ServiceStartError(
            f"{party[0]} needs {wanted}, which was not found{f' (found: {others})' if others else ''}.",
            [party],
            "\n".join(self._looked_in(folder)),
        )

    def is_installed(self) -> bool:
        """Return whether there is one of any version."""
        return any(_found(self, folder) is not None for folder in self.folders())

    def folders(self) -> Iterator[Path]:
        """Yield the folders to look in: those of PATH, then the usual places, with the newest versions first."""
        yield from map(Path, os.get_exec_path())
        for place in self.places:
            root, *parts = Path(place).parts
            yield from sorted(Path(root).glob("/".join(parts)), key=_version_in, reverse=True)

    def _looked_in(self, folder: Path | None) -> Iterable[str]:
        programs = " and ".join(" or ".join(names) for names in self.programs)
        yield f"Looked for {programs} in:"
        everywhere = (f"PATH: {os.pathsep.join(os.get_exec_path())}", *self.places)
        yield from (f"    {place}" for place in ([str(folder)] if folder else everywhere))
        yield f"Install it: {', '.join(self.install)}. Or set `bin` to the folder where it is."


@final
@dataclass(frozen=True, slots=True)
class Found:
    """The server that was found. `told` is what it prints as its version, `version` its first number."""

    folder: Path
    server: Path
    told: str
    version: int


@functools.cache  # each look runs a program
def _found(kit: Kit, folder: Path) -> Found | None:
    names = [next((name for name in names if _is_program(folder / name)), None) for names in kit.programs]
    if None in names:
        return None
    server = folder / str(names[0])
    try:
        told = subprocess.run((server, "--version"), capture_output=True, text=True, check=True, timeout=30.0).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\d+", told.rpartition("v=")[2])
    return None if version is None else Found(folder, server, told.strip(), int(version[0]))


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _version_in(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


POSTGRES: Final = Kit(
    "PostgreSQL",
    (("postgres",), ("initdb",)),
    (
        "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
        "/usr/pgsql-*/bin",  # PostgreSQL's own packages for Red Hat
        "/usr/lib/postgresql*/bin",  # SUSE
        "/usr/libexec/postgresql*",  # Alpine
        "/usr/local/pgsql/bin",  # built from source
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
        "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
        "/Applications/Postgres.app/Contents/Versions/*/bin",
    ),
    (
        "`apt-get install postgresql` (Debian, Ubuntu)",
        "`dnf install postgresql-server` (Fedora, Red Hat)",
        "`apk add postgresql` (Alpine)",
        "`brew install postgresql@17` (macOS)",
    ),
)

REDIS: Final = Kit(
    "Redis",
    (("redis-server", "valkey-server"),),
    ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/opt/redis*/bin", "/usr/local/opt/redis*/bin"),
    (
        "`apt-get install redis-server` (Debian, Ubuntu)",
        "`dnf install valkey` (Fedora, Red Hat)",
        "`apk add redis` (Alpine)",
        "`brew install redis` (macOS)",
    ),
)
