"""Databases of a PostgreSQL server that a test restarts or kills: later tests use them as if nothing had happened."""

from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy

from looprig.services.rig import Rig
from tests.kits import test_databases as copied
from tests.kits import test_transactions as rolled_back
from tests.kits import test_truncation as truncated
from tests.kits.conftest import Run
from tests.kits.servers import Postgres, needs_postgres
from tests.running import running

pytestmark = [needs_postgres, pytest.mark.usefixtures("no_hang")]

Outage = Callable[[Postgres], Awaitable[None]]


async def restart(server: Postgres) -> None:
    await server.restart()


async def kill(server: Postgres) -> None:
    await server.kill()
    await server.start()


outages = pytest.mark.parametrize("outage", [restart, kill])


@outages
def test_copies_go_on_after_an_outage_between_two_tests_or_in_one(run: Run, outage: Outage) -> None:
    async def scenario() -> None:
        async with copied.server_and_copies() as (server, copies):

            async def use(outage: Outage | None = None) -> None:
                database = copied.Database(server=server, copies=copies)
                async with running(database):
                    if outage is not None:
                        await outage(server)
                    async with copied.connected(database.dsn) as connection:
                        assert await connection.fetchval("SELECT id FROM things") == 1

            await use()
            await outage(server)
            await use()
            await use()
            await use(outage)
            await use()

    run(scenario())


def test_a_copy_that_failed_during_an_outage_is_made_again(run: Run) -> None:
    async def scenario() -> None:
        async with copied.server_and_copies() as (server, copies):
            database = copied.Database(server=server, copies=copies)
            async with running(database):
                await server.kill()
                template = copies.template(server, database._template_name())
                template._next = template._operator.submit(template._copy)  # as a second test does
                assert template._next.exception(10) is not None
                await server.start()
            async with running(copied.Database(server=server, copies=copies)):
                pass

    run(scenario())


@outages
def test_truncation_goes_on_after_an_outage(run: Run, outage: Outage) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            server = await rig.start(Postgres)
            database = await rig.start(truncated.Database)
            for is_out in (False, True, False):
                if is_out:
                    await outage(server)
                async with truncated.cleaned(database) as connection:
                    assert await connection.fetchval('INSERT INTO "User" DEFAULT VALUES RETURNING id') == 1
                    if is_out:
                        await outage(server)
            async with truncated.cleaned(database) as connection:
                assert await connection.fetchval('SELECT count(*) FROM "User"') == 0

    run(scenario())


@outages
@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql+psycopg"])
def test_a_transaction_that_an_outage_ended_is_rolled_back(run: Run, outage: Outage, scheme: str) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            server = await rig.start(Postgres)
            database = await rig.start(truncated.Database)
            async with (
                running(rolled_back.Asyncpg(database=database)) as asyncpg,
                running(rolled_back.Sqlalchemy(database=database, scheme=scheme)) as transaction,
            ):
                await asyncpg.connection.execute(rolled_back.ADD)
                await transaction.connection.execute(sqlalchemy.text(rolled_back.ADD))
                await outage(server)
            async with running(rolled_back.Asyncpg(database=database)) as asyncpg:
                assert await asyncpg.connection.fetchval(rolled_back.COUNT) == 0

    run(scenario())
