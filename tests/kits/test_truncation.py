"""TruncatedDatabase with a real server: what is deleted after a test, what is kept, and what is in the way."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError
from looprig.kits.databases import PostgresDatabase
from looprig.kits.truncation import TruncatedDatabase
from looprig.services.rig import Rig
from tests.kits.conftest import Run
from tests.kits.servers import Postgres, needs_postgres
from tests.kits.test_databases import connected

pytestmark = [needs_postgres, pytest.mark.usefixtures("no_hang")]

SCHEMA = """
CREATE SCHEMA audit;
CREATE TABLE country (code text PRIMARY KEY);
INSERT INTO country VALUES ('nl');
CREATE TABLE "User" (id serial PRIMARY KEY, country text REFERENCES country);
CREATE TABLE audit.entry ("user" int REFERENCES "User" ON DELETE RESTRICT, at date) PARTITION BY RANGE (at);
CREATE TABLE audit.entry_now PARTITION OF audit.entry FOR VALUES FROM ('2000-01-01') TO ('3000-01-01');
CREATE SEQUENCE number START 10;
"""


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Database(PostgresDatabase[Postgres]):
    """A database with tables that refer to each other."""

    async def prepare(self) -> None:
        async with connected(self.dsn) as connection:
            await connection.execute(SCHEMA)


@service_fixture
@dataclass(kw_only=True)
class Clean(TruncatedDatabase[Database]):
    """The database, emptied after each test."""

    keep: Sequence[str] = ("country",)


@asynccontextmanager
async def cleaned(database: Database, *keep: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    clean = Clean(database=database, keep=keep or ("country",))
    assert clean.dsn == database.dsn
    life = clean.run()
    await anext(life)
    async with connected(clean.url()) as connection:
        yield connection
        await anext(life, None)


def test_a_test_starts_with_what_was_prepared(run: Run) -> None:
    async def scenario() -> None:
        async with Rig() as running:
            database = await running.start(Database)
            for _ in range(3):
                async with cleaned(database) as connection:
                    assert await connection.fetchval("SELECT count(*) FROM country") == 1
                    assert await connection.fetchval("SELECT count(*) FROM audit.entry") == 0
                    assert await connection.fetchval("SELECT nextval('number')") == 10
                    added = await connection.fetchval("INSERT INTO \"User\" (country) VALUES ('nl') RETURNING id")
                    assert added == 1
                    await connection.execute("INSERT INTO audit.entry VALUES (1, '2026-12-01')")
            async with cleaned(database) as connection:
                await connection.execute("INSERT INTO \"User\" (country) VALUES ('nl')")  # the referring table is empty

    run(scenario())


def test_rows_before_the_first_test_are_an_error(run: Run) -> None:
    async def scenario() -> None:
        async with Rig() as running:
            database = await running.start(Database)
            with pytest.raises(LooprigError, match=r"has rows before its first test.*: in public\.country"):
                async with cleaned(database, "audit.entry"):
                    pass

    run(scenario())


def test_a_kept_table_that_refers_to_another_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        async with Rig() as running:
            database = await running.start(Database)
            cleaning = cleaned(database, "country", '"User"')
            connection = await cleaning.__aenter__()
            await connection.execute("CREATE TABLE extra (id int PRIMARY KEY)")
            await connection.execute("INSERT INTO extra VALUES (1)")
            await connection.execute('ALTER TABLE "User" ADD COLUMN extra int REFERENCES extra')
            with pytest.raises(LooprigError, match="Database could not be emptied: cannot truncate a table referenced"):
                await cleaning.__aexit__(None, None, None)

    run(scenario())


@pytest.mark.parametrize("statement", ["INSERT INTO \"User\" (country) VALUES ('nl')", 'SELECT * FROM "User"'])
def test_an_open_transaction_is_an_error(run: Run, statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("looprig.kits.truncation._PATIENCE", 0.1)

    async def scenario() -> None:
        async with Rig() as running:
            database = await running.start(Database)
            cleaning = cleaned(database)
            connection = await cleaning.__aenter__()
            await connection.execute("INSERT INTO \"User\" (country) VALUES ('nl')")
            await connection.execute("BEGIN")
            await connection.execute(statement)
            with pytest.raises(LooprigError) as raised:
                await cleaning.__aexit__(None, None, None)
            assert "Database had a transaction still open 0.1 s after the test" in str(raised.value)
            assert f"idle in transaction: {statement}" in str(raised.value)
            # The next test is not concerned.
            cleaning = cleaned(database)
            connection = await cleaning.__aenter__()
            assert await connection.fetchval('SELECT count(*) FROM "User"') == 0
            await cleaning.__aexit__(None, None, None)

    run(scenario())


def test_a_kept_table_that_does_not_exist_is_an_error_that_names_those_that_do(run: Run) -> None:
    async def scenario() -> None:
        async with Rig() as running:
            database = await running.start(Database)
            with pytest.raises(LooprigError) as raised:
                async with cleaned(database, "countri"):
                    raise AssertionError
            assert "Database has no table 'countri', which keep names." in str(raised.value)
            assert """Did you mean 'country'? It has "User", audit.entry, country.""" in str(raised.value)
            with pytest.raises(LooprigError, match="has no table 'not a name'"):
                async with cleaned(database, "not a name"):
                    raise AssertionError
            async with cleaned(database) as connection:
                assert await connection.fetchval("SELECT count(*) FROM country") == 1

    run(scenario())
