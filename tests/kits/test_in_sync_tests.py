"""Clean databases in sync tests: through a fixture of the suite, and with services in the thread."""

import pytest

from tests.kits.servers import needs_postgres, needs_redis
from tests.plugin.suite import output, run_apart

pytestmark = [pytest.mark.usefixtures("no_hang")]

HEAD = """
    from dataclasses import dataclass

    import asyncpg, psycopg, pytest
    from looprig import call_service, service_fixture
    from looprig.kits import PostgresDatabase, PostgresService, RedisDatabase, RedisService, TruncatedDatabase

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Postgres(PostgresService): ...

    class Tables(PostgresDatabase[Postgres]):
        async def prepare(self):
            connection = await asyncpg.connect(self.dsn)
            await connection.execute("CREATE TABLE things (id int)")
            await connection.close()

    def add(dsn):
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT count(*) FROM things").fetchone() == (0,)
            connection.execute("INSERT INTO things VALUES (1)")
"""


@needs_postgres
@pytest.mark.parametrize("server_in_thread", [False, True])
def test_a_database_in_the_thread_is_clean_for_each_sync_test(
    pytester: pytest.Pytester, *, server_in_thread: bool
) -> None:
    """Services in the thread use it too, and async tests get it as well."""
    suite = (
        HEAD.replace('(scope="session")', f'(scope="session", in_thread={server_in_thread})')  # noqa: S608 - a test
        + """
    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Database(Tables): ...

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class App:
        database: Database

        async def start(self): self.connection = await asyncpg.connect(self.database.dsn)
        async def stop(self): await self.connection.close()
        async def count(self): return await self.connection.fetchval("SELECT count(*) FROM things")

    @pytest.mark.parametrize("number", range(5))
    def test_sync(database: Database, number): add(database.dsn)

    @pytest.mark.parametrize("number", range(3))
    def test_with_an_app(app: App, database: Database, number):
        add(database.dsn)
        assert call_service(app.count()) == 1

    @pytest.mark.parametrize("number", range(3))
    async def test_async(app: App, database: Database, number):
        add(database.dsn)
        assert await app.count() == 1
    """
    )
    run_apart(pytester, suite, "--loop-watchdogs=leaks=error").assert_outcomes(passed=11)


@needs_postgres
def test_a_database_in_the_thread_is_emptied_for_each_sync_test(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    @service_fixture(scope="session", in_thread=True)
    @dataclass(kw_only=True)
    class Database(Tables): ...

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Clean(TruncatedDatabase[Database]): ...

    @pytest.mark.parametrize("number", range(3))
    def test_sync(clean: Clean, number): add(clean.dsn)
    """
    )
    run_apart(pytester, suite, "--loop-watchdogs=leaks=error").assert_outcomes(passed=3)


@needs_redis
def test_a_redis_database_in_the_thread_is_empty_for_each_sync_test(pytester: pytest.Pytester) -> None:
    suite = """
    from dataclasses import dataclass

    import pytest, redis
    from looprig import service_fixture
    from looprig.kits import RedisDatabase, RedisService

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Redis(RedisService): ...

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Cache(RedisDatabase[Redis]): ...

    @pytest.mark.parametrize("number", range(3))
    def test_sync(cache: Cache, number):
        with redis.Redis.from_url(cache.url) as client:
            assert client.incr("visits") == 1
    """
    run_apart(pytester, suite).assert_outcomes(passed=3)


@needs_postgres
def test_a_database_cannot_be_shared_by_workers(pytester: pytest.Pytester) -> None:
    """The advice isn't to change the scope of a class of looprig."""
    suite = (
        HEAD.replace('(scope="session")', '(scope="run")')
        + """
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Database(Tables): ...

    def test_sync(database: Database): ...
    """
    )
    shown = output(run_apart(pytester, suite))
    assert 'Database (scope "run") needs DatabaseCopies (scope "session"), which ends first.' in shown
    assert 'Narrow Database to scope="session": DatabaseCopies is a class of looprig, whose scope is fixed.' in shown
    assert "Widen DatabaseCopies" not in shown


@needs_postgres
def test_databases_are_not_named_as_what_a_blocked_loop_keeps_from_answering(pytester: pytest.Pytester) -> None:
    """Their server is a process, which answers anyway."""
    suite = (
        HEAD
        + """
    @service_fixture
    @dataclass(kw_only=True)
    class Database(Tables): ...

    @pytest.fixture
    def dsn(database: Database): return database.dsn

    def test_sync(dsn): raise TimeoutError

    @pytest.mark.loop_timeout(0.3)
    def test_blocks(dsn):
        import time
        time.sleep(60)
    """
    )
    result = run_apart(pytester, suite)
    result.assert_outcomes(failed=2)
    assert "stands still" not in output(result)
