"""PostgreSQL, from the programs that are installed on this machine.

Does not make databases for tests (`PostgresDatabase` does), and needs no driver.

Invariants:
1. Each instance has data of its own, which is gone with it: no test finds what an earlier run left.
2. It listens on one TCP port and no Unix socket. It is ready when it answers a client, not when its port is open.
"""

import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, cast
from urllib.parse import quote

from typing_extensions import override

from looprig.declare.fields_meta import config_field
from looprig.declare.values import PATH, POSITIVE, TEXT, Check, instance_of
from looprig.kits.clusters import OPTIONS, make_cluster, remove_segment
from looprig.kits.folders import new_folder
from looprig.kits.programs import POSTGRES
from looprig.kits.threads import in_thread
from looprig.kits.users import unprivileged
from looprig.kits.wire import Connection, is_ready, quoted
from looprig.location import location_of
from looprig.net.address import Address
from looprig.services.process import ProcessService

__all__ = ["PostgresService", "url_of"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_SETTINGS: Final[Mapping[str, str]] = {
    # The data is thrown away, so nothing has to survive a crash of the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "256MB",
    # It would get in the way of copies, and find nothing to do in the lifetime of a test.
    "autovacuum": "off",
    "log_checkpoints": "off",  # each copy of a database needs one
    "dynamic_shared_memory_type": "mmap",  # in the data folder: a killed server would leave files in /dev/shm for good
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_OPENING: Final = "postgres"
"""The database that every cluster has."""


def url_of(scheme: str, user: str, address: Address, database: str) -> str:
    """Return the URL of a database. The scheme chooses the driver, for SQLAlchemy."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{scheme}://{quote(user, safe='')}@{host}:{address.port}/{quote(database, safe='')}"


@dataclass(kw_only=True)
class PostgresService(ProcessService):
    """A PostgreSQL server, for the tests alone. It needs the programs of PostgreSQL 13 or newer, and no driver.

        @service_fixture(scope="session")
        @dataclass(kw_only=True)
        class Postgres(PostgresService): ...

    Looks for `postgres` and `initdb` on PATH, then where packages put them, newest version first. Runs as the user
    `postgres` or `nobody` if the tests run as root. Every user of this machine can connect, and no password is needed.

    Configuration:
        user: the superuser's name.
        database: the database of `dsn`. It is created if it isn't one that every server has.
        version: the major version, such as 16; any version by default.
        bin: the folder of the programs, instead of looking for them.
        settings: settings as in `postgresql.conf`, on top of the default ones, which make it fast and unsafe:
            `{"max_connections": 500, "wal_level": "logical"}`.
        initdb_options: more options of `initdb`, such as `("--locale=C.UTF-8",)`.
        folder: where to create the folder for its data; by default in memory (`/dev/shm`) if 1 GiB is free there,
            otherwise among the temporary files.
        run_as: the user to run it as, if the tests run as root.

    Raises `ServiceStartError` if PostgreSQL isn't installed, or if no user can run it.
    """

    _checks: ClassVar[Mapping[str, Check]] = {
        "user": TEXT,
        "database": TEXT,
        "version": POSITIVE.or_none(),
        "bin": PATH.or_none(),
        "settings": instance_of("a dictionary", Mapping),
        "initdb_options": Check(
            "a list of strings",
            lambda value: isinstance(value, Sequence) and not isinstance(value, str),
        ),
        "folder": PATH.or_none(),
        "run_as": TEXT.or_none(),
    }

    user: str = config_field("postgres")
    database: str = config_field(_OPENING)
    version: int | None = config_field(None)
    bin: str | Path | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    settings: Mapping[str, str | int | float | bool] = config_field(factory=dict[str, str | int | float | bool])
    initdb_options: Sequence[str] = config_field(())
    folder: str | Path | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    run_as: str | None = config_field(None)
    stop_signal: signal.Signals = config_field(signal.SIGINT)  # noqa: RUF009 - fast: it doesn't wait for clients
    _command: Sequence[str] = field(default=(), init=False, repr=False, compare=False)

    @property
    def dsn(self) -> str:
        """The URL of `database`, for asyncpg, psycopg and other drivers."""
        return self.url()

    def url(self, scheme: str = "postgresql", *, database: str | None = None) -> str:
        """Return the URL of a database: for SQLAlchemy with asyncpg, `url("postgresql+asyncpg")`."""
        return url_of(scheme, self.user, self.address, self.database if database is None else database)

    @override
    def command(self) -> Sequence[str]:
        settings = {
            **_SETTINGS,
            **self.settings,
            "listen_addresses": self.host,
            "port": self.port,
            "unix_socket_directories": "",
        }
        return [*self._command, *(part for name, value in settings.items() for part in ("-c", f"{name}={_set(value)}"))]

    @override
    async def ready(self) -> bool:
        return await is_ready(self.address, self.user, _OPENING)

    @override
    async def run(self) -> AsyncIterator[None]:
        """Make its data, then run it until this generator is closed or resumed."""
        self._check_system()
        stack = ExitStack()  # what it does takes long enough to be done in a thread
        try:
            self._command = await in_thread(lambda: self._make_data(stack))
            running = cast("Callable[[], AsyncGenerator[None]]", super().run)
            async with asynccontextmanager(running)():
                if self.database not in {_OPENING, "template1"}:
                    await in_thread(self._create_database)
                yield
        finally:
            self._command = ()
            await in_thread(stack.close)

    def _make_data(self, stack: ExitStack) -> list[str]:
        """Return the command that runs the server, on new data that belongs to the user who runs it."""
        name = type(self).__qualname__, location_of(type(self))
        found = POSTGRES.find(folder=None if self.bin is None else Path(self.bin), version=self.version, party=name)
        user = unprivileged(self.run_as, name)
        folder = stack.enter_context(new_folder("postgres", self.folder, passable=user is not None))
        data = folder / "data"
        stack.callback(remove_segment, data)
        make_cluster(data, found, (*OPTIONS, f"--username={self.user}", *self.initdb_options), user, name)
        command = [str(found.server), "-D", os.fspath(data)]
        return command if user is None else user.running(command, data)

    def _create_database(self) -> None:
        connection = Connection(self.address, user=self.user, database=_OPENING)
        try:
            connection.query(f"CREATE DATABASE {quoted(self.database)}")
        finally:
            connection.close()


def _set(value: object) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
