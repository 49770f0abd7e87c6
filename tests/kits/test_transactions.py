"""Transactions that are rolled back after a test, with real drivers."""

import importlib.util
from dataclasses import dataclass

import pytest
import sqlalchemy

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError
from looprig.kits.transactions import AsyncpgTransaction, SqlalchemyTransaction
from looprig.services.rig import Rig
from tests.kits.conftest import Run
from tests.kits.servers import needs_postgres
from tests.kits.test_databases import connected
from tests.kits.test_truncation import Database
from tests.running import running

pytestmark = [needs_postgres, pytest.mark.usefixtures("no_hang")]

ADD = "INSERT INTO \"User\" (country) VALUES ('nl')"
COUNT = 'SELECT count(*) FROM "User"'


@service_fixture
@dataclass(kw_only=True)
class Asyncpg(AsyncpgTransaction[Database]):
    """A transaction of asyncpg."""


@service_fixture
@dataclass(kw_only=True)
class Sqlalchemy(SqlalchemyTransaction[Database]):
    """A transaction of SQLAlchemy."""


def test_what_is_committed_on_a_connection_of_asyncpg_is_gone_afterwards(run: Run) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            database = await rig.start(Database)
            async with running(Asyncpg(database=database)) as transaction:
                async with transaction.connection.transaction():
                    await transaction.connection.execute(ADD)
                savepoint = transaction.connection.transaction()
                await savepoint.start()
                await transaction.connection.execute(ADD)
                await savepoint.rollback()
                assert await transaction.connection.fetchval(COUNT) == 1
                async with connected(database.dsn) as other:
                    assert await other.fetchval(COUNT) == 0
                connection = transaction.connection
            assert connection.is_closed()
            with pytest.raises(LooprigError, match="Asyncpg is not running, so it has no connection"):
                _ = transaction.connection
            async with running(Asyncpg(database=database)) as transaction:
                assert await transaction.connection.fetchval(COUNT) == 0
                await transaction.connection.close()  # by the code under test

    run(scenario())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_what_sessions_of_sqlalchemy_commit_is_gone_afterwards(run: Run, driver: str) -> None:
    if importlib.util.find_spec(driver) is None:
        pytest.skip(f"needs {driver}")

    async def scenario() -> None:
        async with Rig() as rig:
            database = await rig.start(Database)
            for _ in range(2):
                async with running(Sqlalchemy(database=database, scheme=f"postgresql+{driver}")) as transaction:
                    async with transaction.sessions() as session:
                        await session.execute(sqlalchemy.text(ADD))
                        await session.commit()
                        await session.execute(sqlalchemy.text(ADD))
                        await session.rollback()
                    async with transaction.sessions() as session:
                        assert await session.scalar(sqlalchemy.text(COUNT)) == 1
                    async with connected(database.dsn) as other:
                        assert await other.fetchval(COUNT) == 0

    run(scenario())
