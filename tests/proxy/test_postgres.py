"""A real database behind a proxy: what its client meets mid-transaction, and that the server is unharmed."""

import asyncio
import importlib.util
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from looprig import TcpProxy
from looprig.toxics import Reset
from tests.house.repository import ROOT
from tests.proxy.conftest import Run
from tests.running import running

asyncpg = pytest.importorskip("asyncpg", reason="needs asyncpg")


def _example() -> ModuleType:
    """The example's way to run PostgreSQL, as shown to users."""
    file = ROOT / "examples" / "notes" / "tests" / "postgres.py"
    spec = importlib.util.spec_from_file_location("notes_postgres", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


POSTGRES = _example()
TIMES = 100


@POSTGRES.needs_postgres  # type: ignore[untyped-decorator]
def test_100_resets_in_mid_transaction_raise_in_the_client_and_leave_the_server_usable(run: Run) -> None:
    async def scenario(data: Path) -> None:
        async with running(POSTGRES.Postgres(data=data)) as postgres, TcpProxy(postgres.address) as proxy:
            dsn = postgres.dsn.replace(f":{postgres.port}/", f":{proxy.port}/")
            direct = await asyncpg.connect(postgres.dsn, ssl=False)
            await direct.execute("create table notes (id serial primary key, text text)")
            broke = 0
            for number in range(TIMES):
                client = await asyncpg.connect(dsn, ssl=False)
                transaction = client.transaction()
                await transaction.start()
                await client.execute("insert into notes (text) values ($1)", "never committed")
                with proxy.apply(Reset(after_bytes=number, direction="upstream" if number % 2 else "downstream")):
                    async with asyncio.timeout(5):
                        try:
                            await client.fetch("select * from generate_series(1, 1000)")
                            await transaction.commit()
                        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
                            broke += 1
                client.terminate()
            assert broke == TIMES
            await proxy.wait_connections(0)
            assert await direct.fetchval("select count(*) from notes") == 0
            async with asyncio.timeout(5):
                client = await asyncpg.connect(dsn, ssl=False)
                await client.execute("insert into notes (text) values ('committed')")
                assert await client.fetchval("select count(*) from notes") == 1
                await client.close()
                await direct.close()

    with tempfile.TemporaryDirectory(prefix="looprig-postgres-") as folder:
        Path(folder).chmod(0o700)
        POSTGRES.init_data(folder)
        run(scenario(Path(folder)))
