"""PostgreSQL as a process of its own, from the programs that are on this machine."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from looprig import ProcessService, service_fixture

FOLDERS = [*os.get_exec_path(), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
POSTGRES = shutil.which("postgres", path=os.pathsep.join(FOLDERS))

needs_postgres = pytest.mark.skipif(
    POSTGRES is None, reason="PostgreSQL is not installed: no `postgres` in PATH or /usr/lib/postgresql/*/bin"
)


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Postgres(ProcessService):
    """A server on a port of its own, which ends with the tests even if they are killed."""

    postgres_data: Path
    stop_signal: signal.Signals = signal.SIGINT  # SIGTERM would have it wait for its clients to leave

    def __post_init__(self) -> None:
        self.cwd = self.postgres_data

    def command(self) -> Sequence[str]:
        options = ("fsync=off", "unix_socket_directories=", f"listen_addresses={self.host}", f"port={self.port}")
        return [*unprivileged(), str(POSTGRES), "-D", ".", *(f"--{option}" for option in options)]

    async def ready(self) -> bool:
        return "ready to accept connections" in self.output

    @property
    def dsn(self) -> str:
        """Where it is."""
        return f"postgresql://notes@{self.host}:{self.port}/postgres"


def init_data(folder: str) -> None:
    """Makes a folder what PostgreSQL keeps its data in, with one user, who needs no password."""
    if unprivileged():
        shutil.chown(folder, "nobody")
    initdb = Path(str(POSTGRES)).with_name("initdb")
    options = ("--username=notes", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
    subprocess.run([*unprivileged(), initdb, "-D", ".", *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def unprivileged() -> list[str]:
    """What to put before a command: PostgreSQL refuses to run as root, who tests in many a container."""
    if os.getuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
