"""TruncatedDatabase beside an app that works in the background all the time, and locks tables in every order."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from looprig.services.rig import Rig
from tests.kits.conftest import Run
from tests.kits.servers import needs_postgres
from tests.kits.test_databases import connected
from tests.kits.test_truncation import Clean, Database
from tests.running import running

pytestmark = [needs_postgres, pytest.mark.usefixtures("no_hang")]

ADD = "INSERT INTO \"User\" (country) VALUES ('nl') RETURNING id"
USERS = 'SELECT count(*) FROM "User"'
ENTRIES = "SELECT count(*) FROM audit.entry"


@asynccontextmanager
async def at_work(dsn: str, *, writes: bool) -> AsyncGenerator[None]:
    """Have four workers that are never out of a transaction. They raise if they are part of a deadlock."""
    order = random.Random(1)

    async def work(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        while True:
            async with connection.transaction():
                first, second = order.sample(['"User"', "audit.entry"], 2)
                await connection.execute(f"LOCK TABLE {first} IN ACCESS SHARE MODE")
                await asyncio.sleep(0.01)
                await connection.execute(f"LOCK TABLE {second} IN ROW EXCLUSIVE MODE")
                if writes:
                    await connection.execute("SELECT pg_current_xact_id()")
                await asyncio.sleep(0.005)

    connections = [await asyncpg.connect(dsn) for _ in range(4)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work(connection)) for connection in connections]
            yield
            for task in tasks:
                task.cancel()
    finally:
        for connection in connections:
            await connection.close()


@pytest.mark.parametrize("writes", [True, False])
def test_an_app_that_always_has_a_transaction_open_is_neither_disturbed_nor_waited_for(run: Run, writes: bool) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            database = await rig.start(Database)
            async with running(Clean(database=database, keep=["country"])):
                pass  # sees that it is empty
            async with connected(database.dsn) as connection, at_work(database.dsn, writes=writes):
                for _ in range(6):
                    async with running(Clean(database=database, keep=["country"])):
                        assert await connection.fetchval(ADD) == 1
                        await connection.execute("INSERT INTO audit.entry VALUES (1, '2026-12-01')")
                    assert await connection.fetchval(USERS) == 0
                    assert await connection.fetchval(ENTRIES) == 0
                assert await connection.fetchval("SELECT count(*) FROM country") == 1

    run(scenario())
