"""Copies of databases: each is made from a template, used once, and dropped.

A template is prepared once for each server, even if several processes use that server. The next copy is made while a
test runs with the present one, and dropped while another runs: so that a test rarely waits for either. All of it
happens on one connection for each template, in a thread.

Does not know what a template contains.

Invariants:
1. A template is complete: it is prepared under another name and renamed. Those who need it meanwhile wait.
2. Names of copies contain the process id: processes that share a server don't meet.
3. All copies are dropped at the end, while the server runs.
"""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar, final

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError
from looprig.kits.postgres import PostgresService
from looprig.kits.wire import Connection, PostgresError, literal, quoted
from looprig.net.address import Address

__all__ = ["DatabaseCopies", "Template"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_LEAVING: Final = 5.0
"""Seconds that connections to a template have to go away once it is prepared. Drivers close them in the background."""
_T = TypeVar("_T")
_numbers: Final = itertools.count(1)


@final
class Template:
    """A database that is copied. Used on one loop."""

    def __init__(self, server: PostgresService, name: str) -> None:
        self.name: Final = name
        self._address = server.address
        self._user = server.user
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, f"looprig-{name}")
        self._preparing = asyncio.Lock()
        self._is_prepared = False
        self._failure: Exception | None = None
        self._next: Future[str] | None = None
        self._taken = 0

    async def prepare(self, fill: Callable[[str], Awaitable[None]]) -> None:
        """Make the database and let `fill` fill it, unless that has been done. `fill` gets its name meanwhile.

        If that failed, it fails again, with the same error.
        """
        async with self._preparing:
            if self._failure is not None:
                raise self._failure
            if self._is_prepared:
                return
            building = f"{self.name}_building"
            if await self._in_thread(lambda: self._begin(building)):
                try:
                    await fill(building)
                    await self._in_thread(lambda: self._complete(building))
                except Exception as error:
                    self._failure = error
                    raise
                finally:
                    await self._in_thread(self._unlock)
            self._is_prepared = True

    @asynccontextmanager
    async def copy(self) -> AsyncGenerator[str]:
        """Make a copy, drop it at the end, and give its name."""
        self._taken += 1
        ready, self._next = self._next, None
        name = await asyncio.shield(asyncio.wrap_future(ready or self._thread.submit(self._copy)))
        if self._taken > 1:  # the first may be the only one, for the whole run
            self._next = self._thread.submit(self._copy)
        try:
            yield name
        finally:
            self._thread.submit(self._drop, name)

    async def close(self) -> None:
        """Drop what is left, if the server is still there."""
        await self._in_thread(self._close)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.shield(asyncio.wrap_future(self._thread.submit(work)))

    # In the thread

    def _query(self, sql: str, timeout: float | None = 60.0) -> list[tuple[str | None, ...]]:
        if self._connection is None:
            self._connection = Connection(self._address, user=self._user, database="postgres")
        try:
            return self._connection.query(sql, timeout=timeout)
        except OSError:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self, building: str) -> bool:
        """Return whether the template has to be made. Then this process alone makes it, until `_unlock`."""
        self._query(f"SELECT pg_advisory_lock(hashtext({literal(self.name)}))", None)
        if (self.name,) in self._query("SELECT datname FROM pg_database"):
            self._unlock()
            return False
        self._query(f"DROP DATABASE IF EXISTS {quoted(building)} WITH (FORCE)")  # left by a process that was killed
        self._query(f"CREATE DATABASE {quoted(building)}")
        return True

    def _complete(self, building: str) -> None:
        """Rename the prepared database, once nobody uses it."""
        until = time.monotonic() + _LEAVING
        in_use = "SELECT application_name, state, query FROM pg_stat_activity WHERE datname = "
        while users := self._query(in_use + literal(building)):
            if time.monotonic() > until:
                raise LooprigError(
                    f"prepare left {len(users)} open connection{'s' if len(users) > 1 else ''} to the template, which "
                    f"can't be copied while it is in use.",
                    (),
                    "\n".join(
                        (
                            *(f"    {name or 'a client'}, {state}: {query}" for name, state, query in users),
                            "Close the connection, pool or engine at the end of `prepare`.",
                        )
                    ),
                )
            time.sleep(0.002)
        self._query(f"ALTER DATABASE {quoted(building)} RENAME TO {quoted(self.name)}")

    def _unlock(self) -> None:
        self._query(f"SELECT pg_advisory_unlock(hashtext({literal(self.name)}))")

    def _copy(self) -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self._query(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(self.name)}")
        return name

    def _drop(self, name: str) -> None:
        # It may be gone, with the server.
        with suppress(OSError, PostgresError):
            self._query(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")

    def _close(self) -> None:
        with suppress(OSError, PostgresError):
            if self._next is not None:
                self._drop(self._next.result())
        self._disconnect()


@service_fixture(scope="session", name="looprig_database_copies")
@dataclass(kw_only=True)
class DatabaseCopies:
    """The templates of a run, for `PostgresDatabase`. Its tests never ask for it."""

    _templates: dict[tuple[Address, str], Template] = field(
        default_factory=dict[tuple[Address, str], Template], init=False, repr=False
    )

    async def run(self) -> AsyncIterator[None]:
        """Drop what is left when this generator is closed or resumed."""
        try:
            yield
        finally:
            for template in self._templates.values():
                await template.close()
            self._templates.clear()

    def template(self, server: PostgresService, name: str) -> Template:
        """Return the template of a name on a server."""
        key = server.address, name
        if key not in self._templates:
            self._templates[key] = Template(server, name)
        return self._templates[key]
