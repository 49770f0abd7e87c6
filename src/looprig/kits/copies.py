"""Copies of databases: each is made from a template, used once, and dropped.

A template is prepared once for each server, even if several processes use that server. The next copy is made while a
test runs with the present one, and dropped while another runs: so that a test rarely waits for either. All of it
happens on one connection for each template, in a thread.

Does not know what a template contains.

Invariants:
1. A template is complete: it is prepared under another name and renamed. Those who need it meanwhile wait.
2. Names of copies contain the process id: processes that share a server don't meet.
3. All copies are dropped at the end, while the server runs. Those that a stopped server kept end with its data.
"""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final, final

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError
from looprig.kits.operators import Operator
from looprig.kits.postgres import PostgresService
from looprig.kits.wire import PostgresError, literal, quoted
from looprig.net.address import Address
from looprig.runtime.clock import now

__all__ = ["DatabaseCopies", "Template"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_LEAVING: Final = 5.0
"""Seconds that connections to a template have to go away once it is prepared. Drivers close them in the background."""
_WITH_STRATEGIES: Final = 150000
"""The number of the first version that knows `STRATEGY`."""
_numbers: Final = itertools.count(1)


@final
class Template:
    """A database that is copied. Used on one loop."""

    def __init__(self, operator: Operator, name: str) -> None:
        self.name: Final = name
        self._operator = operator
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
            if await self._operator.run(lambda: self._begin(building)):
                try:
                    await fill(building)
                    await self._operator.run(lambda: self._complete(building))
                except Exception as error:
                    self._failure = error
                    raise
                finally:
                    await self._operator.run(self._unlock)
            self._is_prepared = True

    @asynccontextmanager
    async def copy(self) -> AsyncGenerator[str]:
        """Make a copy, drop it at the end, and give its name."""
        self._taken += 1
        name = await self._take()
        if self._taken > 1 and self._next is None:  # the first may be the only one, for the whole run
            self._next = self._operator.submit(self._copy)
        try:
            yield name
        finally:
            self._operator.submit(lambda: self._drop(name))

    async def _take(self) -> str:
        """Return the name of the copy that was made ahead, or of a new one."""
        ready, self._next = self._next, None
        if ready is not None:
            with suppress(OSError, PostgresError):  # a test stopped the server meanwhile
                return await asyncio.shield(asyncio.wrap_future(ready))
        return await self._operator.run(self._copy)

    async def close(self) -> None:
        """Drop what is left, if the server is still there."""
        await self._operator.run(self._drop_next)

    # In the thread

    def _begin(self, building: str) -> bool:
        """Return whether the template has to be made. Then this process alone makes it, until `_unlock`."""
        self._operator.query(f"SELECT pg_advisory_lock(hashtext({literal(self.name)}))", timeout=None)
        if (self.name,) in self._operator.query("SELECT datname FROM pg_database"):
            self._unlock()
            return False
        self._operator.query(
            f"DROP DATABASE IF EXISTS {quoted(building)} WITH (FORCE)"
        )  # left by a process that was killed
        self._operator.query(f"CREATE DATABASE {quoted(building)}")
        return True

    def _complete(self, building: str) -> None:
        """Rename the prepared database, once nobody uses it."""
        until = now() + _LEAVING
        in_use = "SELECT application_name, state, query FROM pg_stat_activity WHERE datname = "
        while users := self._operator.query(in_use + literal(building)):
            if now() > until:
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
        self._operator.query(f"ALTER DATABASE {quoted(building)} RENAME TO {quoted(self.name)}")

    def _unlock(self) -> None:
        self._operator.query(f"SELECT pg_advisory_unlock(hashtext({literal(self.name)}))")

    def _copy(self) -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        # The default of newer servers writes each page to the log, which takes twice as long.
        strategy = " STRATEGY file_copy" if self._operator.version >= _WITH_STRATEGIES else ""
        self._operator.query(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(self.name)}{strategy}")
        return name

    def _drop(self, name: str) -> None:
        # It may be gone, with the server.
        with suppress(OSError, PostgresError):
            self._operator.query(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")

    def _drop_next(self) -> None:
        with suppress(OSError, PostgresError):
            if self._next is not None:
                self._drop(self._next.result())


@service_fixture(scope="session", name="looprig_database_copies")
@dataclass(kw_only=True)
class DatabaseCopies:
    """The templates of a run, and its connections to servers, for `PostgresDatabase`. Tests never ask for it."""

    # Nothing here waits for its loop, so databases may be in the services' thread.
    _works_in_threads: ClassVar[bool] = True

    _operators: dict[tuple[Address, str], Operator] = field(
        default_factory=dict[tuple[Address, str], Operator], init=False, repr=False
    )
    _templates: dict[tuple[Address, str], Template] = field(
        default_factory=dict[tuple[Address, str], Template], init=False, repr=False
    )

    async def run(self) -> AsyncIterator[None]:
        """Drop and close what is left when this generator is closed or resumed."""
        try:
            yield
        finally:
            for template in self._templates.values():
                await template.close()
            for operator in self._operators.values():
                await operator.close()

    def operator(self, server: PostgresService, database: str) -> Operator:
        """Return the connection to a database of a server."""
        key = server.address, database
        if key not in self._operators:
            self._operators[key] = Operator(server.address, user=server.user, database=database)
        return self._operators[key]

    def template(self, server: PostgresService, name: str) -> Template:
        """Return the template of a name on a server."""
        key = server.address, name
        if key not in self._templates:
            # A connection of its own: another's template may take long to prepare, and hold a lock meanwhile.
            operator = Operator(server.address, user=server.user, database="postgres")
            self._operators[server.address, f"template {name}"] = operator
            self._templates[key] = Template(operator, name)
        return self._templates[key]
