"""What the tests run against: a database of each kind, the app on top of one, and its worker by itself.

A field takes its value from a service of that type, or from the fixture of that name; one that has a default and no
such fixture is configuration.
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
    """A running database, of whatever kind."""

    @property
    def dsn(self) -> str: ...


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Sqlite:
    """A file, in a folder that pytest cleans up."""

    tmp_path_factory: pytest.TempPathFactory
    dsn: str = field(init=False)

    async def run(self) -> AsyncIterator[None]:
        self.dsn = f"sqlite:///{self.tmp_path_factory.mktemp('sqlite')}/notes.db"
        yield


@service_fixture(scope="module")
@dataclass(kw_only=True)
class Rest(AiohttpService):
    """The app, on a port of its own, on each kind of database."""

    database: Database
    page_size: int = 3

    async def create_app(self) -> web.Application:
        return make_app(self.database.dsn, page_size=self.page_size, sweep_interval=0.01)


@service_fixture
@dataclass(kw_only=True)
class FastSweeper(Sweeper):
    """The worker without the app, in a hurry."""

    interval: float = 0.01
