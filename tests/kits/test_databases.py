"""PostgresDatabase with a real server: copies of a template, which is prepared once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest

from looprig.declare.fields_meta import config_field
from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError, ServiceStartError
from looprig.kits.copies import DatabaseCopies
from looprig.kits.databases import PostgresDatabase
from looprig.services.rig import Rig, rig
from tests.kits.conftest import Run
from tests.kits.servers import Postgres, needs_postgres
from tests.plugin.suite import run_apart

pytestmark = [needs_postgres, pytest.mark.usefixtures("no_hang")]


@asynccontextmanager
async def connected(dsn: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


class Log:
    """The names of the databases that were prepared."""

    def __init__(self) -> None:
        self.names: list[str] = []


@service_fixture
@dataclass(kw_only=True)
class Database(PostgresDatabase[Postgres]):
    """A database with a table."""

    prepared: Log = field(default_factory=Log)
    seed: int = config_field(1)

    async def prepare(self) -> None:
        self.prepared.names.append(self.name)
        async with connected(self.dsn) as connection:
            await connection.execute("CREATE TABLE things (id int)")
            await connection.execute("INSERT INTO things VALUES ($1)", self.seed)


@service_fixture
@dataclass(kw_only=True)
class Failing(PostgresDatabase[Postgres]):
    """A database whose preparation fails, in the way that a test says."""

    leaves_open: bool = config_field(False)
    prepared: int = field(default=0, init=False)

    async def prepare(self) -> None:
        self.prepared += 1
        if not self.leaves_open:
            raise RuntimeError("no such migration")
        connection = await asyncpg.connect(self.dsn)
        await connection.execute("SELECT 'left'")
        asyncio.get_running_loop().call_later(30, connection.terminate)


@asynccontextmanager
async def server_and_copies() -> AsyncGenerator[tuple[Postgres, DatabaseCopies]]:
    async with Rig() as running:
        yield await running.start(Postgres), await running.start(DatabaseCopies)


@asynccontextmanager
async def living(service: Database | Failing) -> AsyncGenerator[None]:
    life: AsyncIterator[None] = service.run()
    await anext(life)
    yield
    await anext(life, None)


async def names(postgres: Postgres) -> set[str]:
    async with connected(postgres.url(database="postgres")) as connection:
        rows = await connection.fetch("SELECT datname FROM pg_database WHERE NOT datistemplate")
    return {row["datname"] for row in rows} - {"postgres"}


def test_each_use_gets_what_was_prepared_once(run: Run) -> None:
    async def scenario() -> None:
        async with server_and_copies() as (postgres, copies):
            seen: list[str] = []
            database = Database(server=postgres, copies=copies)
            for _ in range(5):
                async with living(database), connected(database.dsn) as connection:
                    seen.append(database.name)
                    assert await connection.fetchval("SELECT id FROM things") == 1
                    await connection.execute("UPDATE things SET id = 2")
            assert len(set(seen)) == 5
            assert len(database.prepared.names) == 1
            with pytest.raises(LooprigError, match="Database is not running, so it has no database"):
                _ = database.dsn

    run(scenario())


def test_databases_at_the_same_time_are_apart_and_connections_do_not_keep_them(run: Run) -> None:
    async def scenario() -> None:
        async with server_and_copies() as (postgres, copies):
            prepared = Log()
            databases = [Database(server=postgres, copies=copies, prepared=prepared) for _ in range(4)]
            lives = [database.run() for database in databases]
            await asyncio.gather(*(anext(life) for life in lives))
            assert len({database.name for database in databases}) == 4
            assert len(prepared.names) == 1
            left = await asyncpg.connect(databases[0].dsn)
            await asyncio.gather(*(anext(life, None) for life in lives))
            for template in copies._templates.values():
                await template.close()
            assert len(await names(postgres)) == 1  # the template's
            left.terminate()

    run(scenario())


def test_workers_that_share_a_server_prepare_once_and_do_not_meet(run: Run) -> None:
    """Each has connections of its own, as `DatabaseCopies` are what belongs to a worker."""

    async def scenario() -> None:
        async with server_and_copies() as (postgres, _):
            workers = [DatabaseCopies() for _ in range(3)]
            prepared = Log()
            databases = [Database(server=postgres, copies=copies, prepared=prepared) for copies in workers]
            lives = [database.run() for database in databases]
            await asyncio.gather(*(anext(life) for life in lives))
            assert len(prepared.names) == 1
            assert len({database.name for database in databases}) == 3
            await asyncio.gather(*(anext(life, None) for life in lives))
            for copies in workers:
                life = copies.run()
                await anext(life)
                await anext(life, None)

    run(scenario())


def test_another_configuration_has_another_template(run: Run) -> None:
    async def scenario() -> None:
        async with server_and_copies() as (postgres, copies):
            for seed in (1, 2, 1):
                database = Database(server=postgres, copies=copies, seed=seed)
                async with living(database), connected(database.dsn) as connection:
                    assert await connection.fetchval("SELECT id FROM things") == seed
                assert len(database.prepared.names) == (not (seed == 1 and len(copies._templates) == 2))

    run(scenario())


def test_what_a_killed_worker_left_half_prepared_is_prepared_again(run: Run) -> None:
    async def scenario() -> None:
        async with server_and_copies() as (postgres, copies):
            database = Database(server=postgres, copies=copies)
            half = f"{database._template_name()}_building"
            async with connected(postgres.dsn) as connection:
                await connection.execute(f"CREATE DATABASE {half}")
            async with connected(postgres.url(database=half)) as connection:
                await connection.execute("CREATE TABLE things (half int)")
                async with living(database), connected(database.dsn) as other:
                    assert await other.fetchval("SELECT id FROM things") == 1

    run(scenario())


def test_a_preparation_that_fails_is_not_tried_by_every_test(run: Run) -> None:
    async def scenario() -> None:
        async with server_and_copies() as (postgres, copies):
            failing = Failing(server=postgres, copies=copies)
            for _ in range(2):
                with pytest.raises(RuntimeError, match="no such migration"):
                    await anext(failing.run())
            assert failing.prepared == 1

    run(scenario())


def test_a_connection_that_prepare_left_open_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("looprig.kits.copies._LEAVING", 0.1)

    async def scenario() -> None:
        with pytest.raises(ServiceStartError) as raised:
            async with rig(Failing, leaves_open=True):
                pass
        text = str(raised.value)
        assert "prepare left 1 open connection to the template, which can't be copied while it is in use" in text

    run(scenario())


SUITE = """
    import os
    from dataclasses import dataclass

    import asyncpg, pytest
    from looprig import service_fixture
    from looprig.kits import PostgresDatabase, PostgresService

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Postgres(PostgresService): ...

    @service_fixture
    @dataclass(kw_only=True)
    class Database(PostgresDatabase[Postgres]):
        async def prepare(self):
            connection = await asyncpg.connect(self.dsn)
            await connection.execute("CREATE TABLE things (id int)")
            await connection.close()

    @pytest.mark.parametrize("number", range(30))
    async def test_starts_empty(database: Database, number):
        connection = await asyncpg.connect(database.dsn)
        assert await connection.fetchval("SELECT count(*) FROM things") == 0
        await connection.execute("INSERT INTO things VALUES (1)")
        await connection.close()

    async def test_leaves_its_connection_open(database: Database, request):
        connection = await asyncpg.connect(database.dsn)
        request.session.kept = connection

    async def test_the_next_one_has_its_own(database: Database):
        assert database.name.startswith(f"test_{os.getpid()}_")
"""


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["alone", "on two workers"])
def test_each_test_of_a_suite_is_clean(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    run_apart(pytester, SUITE, "-pxdist", *options).assert_outcomes(passed=32)


@pytest.mark.parametrize("scope", ["function", "session"])
def test_connections_of_the_kit_itself_are_no_leaks(pytester: pytest.Pytester, scope: str) -> None:
    suite = f"""
    from dataclasses import dataclass

    from looprig import service_fixture
    from looprig.kits import PostgresDatabase, PostgresService

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Postgres(PostgresService): ...

    @service_fixture(scope="{scope}")
    @dataclass(kw_only=True)
    class Database(PostgresDatabase[Postgres]):
        async def prepare(self): ...

    async def test_one(database: Database): ...

    async def test_two(database: Database): ...
    """
    run_apart(pytester, suite, "--loop-watchdogs=leaks=error").assert_outcomes(passed=2)
