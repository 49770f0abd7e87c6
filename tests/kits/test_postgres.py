"""PostgresService with a real server: what it serves, what it leaves, and why it doesn't start."""

import asyncio
import os
import re
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psycopg
import pytest

from looprig.declare.service import service_fixture
from looprig.exceptions import DeclarationError, LooprigError, ServiceStartError
from looprig.kits.postgres import PostgresService
from looprig.kits.programs import POSTGRES
from looprig.kits.wire import is_ready
from looprig.location import UNKNOWN
from looprig.net.address import Address
from looprig.services.rig import Rig, rig
from tests.kits.conftest import Run, is_gone, script
from tests.kits.servers import Postgres, needs_postgres

pytestmark = [needs_postgres, pytest.mark.usefixtures("no_hang")]


def mode_and_owner(path: Path) -> tuple[int, int]:
    return stat.S_IMODE(path.stat().st_mode), path.stat().st_uid


def test_it_serves_every_driver_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        where = None if os.geteuid() == 0 else tmp_path
        async with rig(
            Postgres, database='my "own" app', settings={"work_mem": "5MB", "jit": False}, folder=where
        ) as it:
            connection = await asyncpg.connect(it.dsn)
            assert await connection.fetchval("SELECT current_database()") == 'my "own" app'
            assert await connection.fetchval("SHOW work_mem") == "5MB"
            assert await connection.fetchval("SHOW jit") == "off"
            assert await connection.fetchval("SHOW server_encoding") == "UTF8"
            folder = Path(await connection.fetchval("SHOW data_directory"))
            await connection.close()
            async with await psycopg.AsyncConnection.connect(it.url(database="postgres")) as other:
                assert other.info.dbname == "postgres"
            assert it.url("postgresql+asyncpg").startswith("postgresql+asyncpg://postgres@127.0.0.1:")
            assert mode_and_owner(folder)[0] == 0o700
            pid = it.pid
        assert is_gone(pid)
        assert not folder.parent.exists()
        with pytest.raises(LooprigError, match="Postgres is not running"):
            _ = it.dsn

    run(scenario())


def memory_of(pid: int, folder: Path) -> tuple[set[str], str]:
    """Return the files that a server shares memory through, and the number of its System V segment."""
    maps = Path(f"/proc/{pid}/maps").read_text("utf-8")
    lines = (folder / "postmaster.pid").read_text("utf-8").splitlines()
    return set(re.findall(r"/dev/shm/PostgreSQL\S+|/\S*/pg_dynshmem/\S+", maps)), lines[6].split()[1]  # noqa: S108 - looked at, not used


@pytest.mark.skipif(not Path("/proc/sysvipc/shm").exists(), reason="needs /proc")
def test_a_server_that_is_killed_leaves_no_shared_memory(run: Run) -> None:
    used: list[tuple[set[str], str]] = []

    async def scenario() -> None:
        async with rig(Postgres) as it:
            async with await psycopg.AsyncConnection.connect(it.dsn) as connection:
                found = await (await connection.execute("SHOW data_directory")).fetchone()
            assert found is not None
            used.append(memory_of(it.pid, Path(found[0])))
            await it.kill()

    run(scenario())
    [(files, number)] = used
    assert files
    assert [path for path in files if Path(path).exists()] == []
    assert number not in {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text("utf-8").splitlines()}


def test_it_is_not_ready_while_the_server_starts(run: Run) -> None:
    """A server that starts or recovers answers with an error, on an open port."""
    answers = [b"E\0\0\0\x0fC57P03\0\0", b"R\0\0\0\x08\0\0\0\0"]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(answers.pop(0))
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            address = Address(*server.sockets[0].getsockname())
            assert not await is_ready(address, "postgres", "postgres")
            assert await is_ready(address, "postgres", "postgres")

    run(scenario())


def wrapped(folder: Path) -> Path:
    """Wrap PostgreSQL's programs, so that each call of initdb is recorded."""
    found = POSTGRES.find(folder=None, version=None, party=("", UNKNOWN))
    script(folder / "postgres", f'exec {shlex.quote(str(found.server))} "$@"')
    script(folder / "initdb", f'echo called >> {folder}/calls; exec {shlex.quote(str(found.folder))}/initdb "$@"')
    return folder


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Another(PostgresService):
    """A second server."""


def test_initdb_runs_once_for_all_servers_that_start_at_once_and_later(
    run: Run, passable: Path, cache_folder: Path
) -> None:
    async def scenario() -> None:
        folder = wrapped(passable)
        # A process that was killed while it made the template has left a part of it.
        for each in range(2):
            async with Rig({"bin": folder, "user": f"user{os.getpid()}"}) as running:
                first, second = await asyncio.gather(running.start(Postgres), running.start(Another))
                assert first.address != second.address
                for server in (first, second):
                    connection = await asyncpg.connect(server.dsn)
                    assert await connection.fetchval("SELECT current_user") == f"user{os.getpid()}"
                    await connection.execute("CREATE TABLE things ()")
                    await connection.close()
            assert (folder / "calls").read_text() == "called\n", each

    run(scenario())
    assert not list(cache_folder.glob("*.building"))


def test_half_a_template_is_not_used(run: Run, passable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(passable))
        async with rig(Postgres):
            (template,) = (path for path in (passable / "looprig").iterdir() if path.is_dir())
        (template / "PG_VERSION").unlink()
        template.rename(template.with_name(f"{template.name}.building"))
        async with rig(Postgres):
            assert template.is_dir()
        assert len([path for path in template.parent.iterdir() if path.is_dir()]) == 1

    run(scenario())


def test_it_starts_without_a_cache(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
        async with rig(Postgres) as postgres:
            await (await asyncpg.connect(postgres.dsn)).close()

    run(scenario())


def test_an_error_of_initdb_is_shown(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=r"(?s)Postgres has no data: initdb ended .*no-such-option"):
            async with rig(Postgres, initdb_options=["--no-such-option"]):
                pass

    run(scenario())


def test_a_setting_that_does_not_exist_is_shown(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=r'(?s)before it was ready.*parameter "no_such"'):
            async with rig(Postgres, settings={"no_such": 1}):
                pass

    run(scenario())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as somebody else")
def test_root_needs_another_user_to_run_it(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=r"cannot run as root, and there .* to run it: nobody2"):
            async with rig(Postgres, run_as="nobody2"):
                pass
        async with rig(Postgres, run_as="nobody") as postgres:
            assert mode_and_owner(Path(f"/proc/{postgres.pid}"))[1] != 0

    run(scenario())


def test_wrong_configuration_is_an_error_at_once() -> None:
    with pytest.raises(DeclarationError, match="version"):
        Postgres(version="16")  # type: ignore[arg-type]
