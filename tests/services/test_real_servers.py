"""ProcessService with PostgreSQL and Redis: killed, restarted, and ended with a test process that is killed."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from looprig.services.process import ProcessService
from tests.running import running
from tests.services.conftest import Run
from tests.services.programs import wait_gone

FOLDERS = [*map(Path, os.get_exec_path()), *Path("/usr/lib/postgresql").glob("*/bin")]
PROGRAMS = next((path for path in FOLDERS if (path / "initdb").exists() and (path / "postgres").exists()), None)

needs_postgres = pytest.mark.skipif(
    PROGRAMS is None or not hasattr(os, "pidfd_open"), reason="needs PostgreSQL's initdb and postgres, on Linux"
)
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server")


def unprivileged() -> list[str]:
    if os.getuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]


@dataclass(kw_only=True)
class Postgres(ProcessService):
    """A server whose processes each lead a session of their own, and which runs as another user if it has to."""

    stop_signal: signal.Signals = signal.SIGINT

    def command(self) -> Sequence[str]:
        options = ("unix_socket_directories=", f"listen_addresses={self.host}", f"port={self.port}", "fsync=off")
        return [*unprivileged(), f"{PROGRAMS}/postgres", "-D", ".", *(f"--{option}" for option in options)]

    async def ready(self) -> bool:
        return "ready to accept connections" in self.output

    async def connect(self) -> Any:
        driver: Any = pytest.importorskip("asyncpg")
        return await driver.connect(host=self.host, port=self.port, user="tester", database="postgres", ssl=False)


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """Yield an empty cluster. Not in `tmp_path`, which other users may not enter."""
    with tempfile.TemporaryDirectory() as folder:
        if unprivileged():
            shutil.chown(folder, "nobody")
        options = ("--username=tester", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        command = [*unprivileged(), f"{PROGRAMS}/initdb", "-D", ".", *options]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        yield Path(folder)


@needs_postgres
def test_postgres_that_is_killed_starts_again_with_its_data(run: Run, data: Path) -> None:
    """A backend that is busy, and leads its own session, would keep the shared memory: the next start would fail."""

    async def scenario() -> None:
        async with running(Postgres(cwd=data)) as postgres:
            connection = await postgres.connect()
            await connection.execute("DROP TABLE IF EXISTS notes; CREATE TABLE notes AS SELECT 1 AS number")
            backend = await connection.fetchval("SELECT pg_backend_pid()")
            assert os.getsid(backend) == backend
            sleeping = asyncio.ensure_future(connection.execute("SELECT pg_sleep(3600)"))
            await asyncio.sleep(0)  # sends it
            os.kill(backend, signal.SIGSTOP)
            await postgres.kill()
            wait_gone(backend)
            with pytest.raises(Exception, match="connection"):
                await sleeping
            await postgres.start()
            for _ in range(2):
                connection = await postgres.connect()
                assert await connection.fetchval("SELECT number FROM notes") == 1
                await connection.close()
                await postgres.restart()
            assert postgres.output.count("was not properly shut down") == 1

    run(scenario())


KILLED = """
import asyncio, os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from tests.running import running
from tests.services.test_real_servers import Postgres

async def main():
    async with running(Postgres(cwd=sys.argv[3])) as postgres:
        connection = await postgres.connect()
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        os.kill(backend, signal.SIGSTOP)
        print(postgres.pid, backend, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@needs_postgres
def test_postgres_does_not_outlive_a_test_process_that_is_killed(data: Path) -> None:
    """Although a stopped backend doesn't notice anything, and all of it runs as another user."""
    pytest.importorskip("asyncpg")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(root), str(root / "src"), str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        postgres, backend = map(int, killed.stdout.readline().split())
    assert killed.returncode == -signal.SIGKILL
    wait_gone(postgres)
    wait_gone(backend)


@dataclass(kw_only=True)
class Redis(ProcessService):
    """A server that keeps its data in a file."""

    def command(self) -> Sequence[str]:
        return ["redis-server", "--bind", self.host, "--port", str(self.port), "--appendonly", "yes"]

    async def ready(self) -> bool:
        return await self.ask("PING") == "+PONG"

    async def ask(self, command: str) -> str:
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(command.encode() + b"\r\n")
        answer = await reader.readline()
        if answer.startswith(b"$"):
            answer = await reader.readline()
        writer.close()
        return answer.decode().strip()


@needs_redis
def test_redis_restarts_on_its_port_while_a_client_is_connected(run: Run, tmp_path: Path) -> None:
    """The server closes the connection, so that its side of it lingers in the kernel."""

    async def scenario() -> None:
        async with running(Redis(cwd=tmp_path)) as redis:
            reader, writer = await asyncio.open_connection(*redis.address)
            assert await redis.ask("SET key value") == "+OK"
            for _ in range(3):
                await redis.restart()
                assert await redis.ask("GET key") == "value"
            assert await reader.read() == b""
            writer.close()

    run(scenario())
