"""A database of its own for each test, or for each worker: a copy of a template that the suite prepares once.

Does not make the copies (`copies` does), and needs no driver: `prepare` uses the suite's own.
"""

import dataclasses
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Generic, TypeVar

from looprig.declare.fields_meta import Configured
from looprig.exceptions import LooprigError
from looprig.kits.copies import DatabaseCopies
from looprig.kits.postgres import PostgresService
from looprig.location import location_of
from looprig.services.hooks import awaitable

__all__ = ["PostgresDatabase", "not_running"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

ServerT = TypeVar("ServerT", bound=PostgresService)

_PLAIN: Final = (str, int, float, bool, bytes, Path, type(None), tuple, list, dict)


def not_running(service: object, lacks: str) -> LooprigError:
    """Return the error for the use of a service that isn't running, and has no database, for example."""
    cls = type(service)
    return LooprigError(
        f"{cls.__qualname__} is not running, so it has {lacks}.",
        [(cls.__qualname__, location_of(cls))],
        "Use a running one: take it from its fixture, or start it with `async with rig(...)`.",
    )


@dataclass(kw_only=True)
class PostgresDatabase(Configured, Generic[ServerT]):
    """A database of its own on a `PostgresService`: for each test, or for as long as the scope says.

        @service_fixture
        @dataclass(kw_only=True)
        class Database(PostgresDatabase[Postgres]):
            async def prepare(self) -> None:
                await create_tables(self.dsn)

        async def test_starts_empty(database: Database) -> None:
            assert await find_users(database.dsn) == []

    `prepare` runs once for each server: it fills a template, of which every database is a copy. A class with other
    configuration has a template of its own. What a database contains is gone with it, and connections to it are
    closed.

    Raises `ServiceStartError` if `prepare` fails, or leaves a connection open.
    """

    _answers_nobody: ClassVar[bool] = True  # the server does

    server: ServerT
    copies: DatabaseCopies
    _name: str = field(default="", init=False, repr=False, compare=False)

    async def prepare(self) -> None:
        """Create tables, and whatever else every test should find. Meanwhile, `dsn` is that of the template.

        Close all connections. For migrations that aren't async: `await asyncio.to_thread(migrate, self.dsn)`.
        """

    @property
    def name(self) -> str:
        """The name of the database."""
        if not self._name:
            raise not_running(self, "no database")
        return self._name

    @property
    def dsn(self) -> str:
        """The URL of the database, for asyncpg, psycopg and other drivers."""
        return self.url()

    def url(self, scheme: str = "postgresql") -> str:
        """Return the URL of the database: for SQLAlchemy with asyncpg, `url("postgresql+asyncpg")`."""
        return self.server.url(scheme, database=self.name)

    async def run(self) -> AsyncIterator[None]:
        """Have a copy of the template until this generator is closed or resumed."""
        template = self.copies.template(self.server, self._template_name())
        try:
            await template.prepare(self._fill)
            async with template.copy() as self._name:
                yield
        finally:
            self._name = ""

    async def _fill(self, name: str) -> None:
        self._name = name
        await awaitable(self.prepare(), self, "prepare")

    def _template_name(self) -> str:
        """Return a name that is the same for classes whose databases have the same content."""
        cls = type(self)
        configuration = [
            f"{each.name}={value!r}"
            for each in dataclasses.fields(self)
            if each.init and isinstance(value := getattr(self, each.name), _PLAIN)
        ]
        told = "\n".join((cls.__module__, cls.__qualname__, *configuration))
        return f"template_{hashlib.sha256(told.encode()).hexdigest()[:16]}"
