"""The services that the tests use: PostgreSQL and Redis, a clean database of each, the app, and its worker."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from looprig import AsgiService, ProcessService, service_fixture
from looprig.kits import PostgresDatabase, PostgresService, RedisDatabase, RedisService
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from orders.app import make_app
from orders.storage import Storage, create_tables

DRIVER = "postgresql+asyncpg"


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Postgres(PostgresService):
    """The server. It starts once."""


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Redis(RedisService):
    """The server. It starts once."""


@service_fixture
@dataclass(kw_only=True)
class Database(PostgresDatabase[Postgres]):
    """A database for each test: a copy of the one that is prepared here."""

    async def prepare(self) -> None:
        engine = create_async_engine(self.url(DRIVER))
        await create_tables(engine)
        await engine.dispose()


@service_fixture
@dataclass(kw_only=True)
class Jobs(RedisDatabase[Redis]):
    """A database of Redis for each test, empty."""


@service_fixture
@dataclass(kw_only=True)
class Rest(AsgiService):
    """The app, on its own port."""

    database: Database
    jobs: Jobs

    async def create_app(self) -> FastAPI:
        return make_app(database_url=self.database.url(DRIVER), redis_url=self.jobs.url)


@service_fixture
@dataclass(kw_only=True)
class Worker(ProcessService):
    """The worker, as in production: a process."""

    database: Database
    jobs: Jobs
    cwd: str | Path | None = Path(__file__).parents[1]

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "orders.worker", self.database.url(DRIVER), self.jobs.url]

    async def ready(self) -> bool:
        return "ready" in self.output


@service_fixture
@dataclass(kw_only=True)
class Stored:
    """The app's storage on the database of the test, to look into it directly."""

    database: Database

    async def start(self) -> None:
        self.engine = create_async_engine(self.database.url(DRIVER))
        self.orders = Storage(sessions=async_sessionmaker(self.engine))

    async def stop(self) -> None:
        await self.engine.dispose()
