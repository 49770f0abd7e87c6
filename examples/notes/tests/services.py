"""The services that the tests use: a database of each kind, the app on top of one, and its worker by itself.

A field gets the service of its type, or else the fixture of its name. A field with a default and no such fixture is
configuration.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from aiohttp import web
from looprig import AiohttpService, service_fixture

from notes.app import make_app
from notes.sweeper import Sweeper


class Database(Protocol):
    """A running database of any kind."""

    @property
    def dsn(self) -> str: ...


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Sqlite:
    """An SQLite file, in a folder that pytest cleans up."""

    tmp_path_factory: pytest.TempPathFactory
    dsn: str = field(init=False)

    async def run(self) -> AsyncIterator[None]:
        self.dsn = f"sqlite:///{self.tmp_path_factory.mktemp('sqlite')}/notes.db"
        yield


@service_fixture(scope="module")
@dataclass(kw_only=True)
class Rest(AiohttpService):
    """The app, on its own port, on each kind of database."""

    database: Database
    page_size: int = 3

    async def create_app(self) -> web.Application:
        return make_app(self.database.dsn, page_size=self.page_size, sweep_interval=0.01)


@service_fixture
@dataclass(kw_only=True)
class FastSweeper(Sweeper):
    """The worker without the app, with a short interval."""

    interval: float = 0.01
