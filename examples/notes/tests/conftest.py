"""The loops and databases of the tests: each runs on every kind of loop, and on every database if it needs one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import uvloop
from looprig import ask, loop_config

from notes.storage import Storage, open_storage
from tests.postgres import Postgres, init_data, needs_postgres
from tests.services import Database, Sqlite

loops = loop_config(
    factories={"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop},
    timeout=30.0,  # seconds, so that nothing hangs
)


@pytest.fixture(scope="session", params=[Sqlite, pytest.param(Postgres, marks=needs_postgres)])
async def database(request: pytest.FixtureRequest) -> Database:
    """Start a database. A kind that no test uses is never started."""
    kind: type[Sqlite | Postgres] = request.param
    return await ask(kind)


@pytest.fixture(scope="session")
def postgres_data() -> Iterator[Path]:
    """Create the data folder of `Postgres`. It is bound to no loop, so the servers on all loops use the same one."""
    with TemporaryDirectory(prefix="notes-postgres-") as folder:
        init_data(folder)
        yield Path(folder)


@pytest.fixture
async def storage(database: Database) -> AsyncIterator[Storage]:
    """Open the app's storage, empty, so that a test can look into it directly."""
    async with open_storage(database.dsn) as storage:
        for note in await storage.page():
            await storage.delete(note.id)
        yield storage
