"""PostgreSQL as a process of its own, from the programs installed on this machine."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from looprig import Fixture, ProcessService, service_fixture

FOLDERS = [*map(Path, os.get_exec_path()), *Path("/usr/lib/postgresql").glob("*/bin")]
PROGRAMS = next((path for path in FOLDERS if (path / "postgres").exists() and (path / "initdb").exists()), None)

needs_postgres = pytest.mark.skipif(
    PROGRAMS is None, reason="PostgreSQL is not installed: no `postgres` in PATH or /usr/lib/postgresql/*/bin"
)


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Postgres(ProcessService):
    """A server on its own port, which ends with the tests even if they are killed."""

    data: Annotated[Path, Fixture("postgres_data")]
    stop_signal: signal.Signals = signal.SIGINT  # with SIGTERM it would wait for its clients to leave

    def __post_init__(self) -> None:
        self.cwd = self.data

    def command(self) -> Sequence[str]:
        options = ("fsync=off", "unix_socket_directories=", f"listen_addresses={self.host}", f"port={self.port}")
        return [*unprivileged(), f"{PROGRAMS}/postgres", "-D", ".", *(f"--{option}" for option in options)]

    async def ready(self) -> bool:
        return "ready to accept connections" in self.output

    @property
    def dsn(self) -> str:
        """The URL of the database."""
        return f"postgresql://notes@{self.host}:{self.port}/postgres"


def init_data(folder: str) -> None:
    """Prepare a folder for PostgreSQL's data, with one user without a password."""
    if unprivileged():
        shutil.chown(folder, "nobody")
    options = ("--username=notes", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
    command = [*unprivileged(), f"{PROGRAMS}/initdb", "-D", ".", *options]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def unprivileged() -> list[str]:
    """Return the prefix of a command: PostgreSQL refuses to run as root, as which many containers run tests."""
    if os.getuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
