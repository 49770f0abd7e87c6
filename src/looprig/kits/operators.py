"""Connections to PostgreSQL that are used from a loop, and do their work in a thread each.

A thread, since the work goes on while no loop runs, between tests, and while a test blocks its loop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar, final

from looprig.kits.wire import Connection
from looprig.net.address import Address

__all__ = ["Operator"]

_T = TypeVar("_T")
_PATIENCE: Final = 60.0
"""Seconds that a query may take."""


@final
class Operator:
    """A connection to one database and its thread. Work is done in order.

    Connects when it is first used, and again if the server was restarted since the last query.
    """

    def __init__(self, address: Address, *, user: str, database: str) -> None:
        self._address = address
        self._connection: Connection | None = None
        self._database = database
        self._thread = ThreadPoolExecutor(1, f"looprig-{database}")
        self._user = user
        self.is_checked: bool = False
        """Whether the database has been looked at before its first test."""
        self.known: Final[set[tuple[str, ...]]] = set()
        """Names of tables that have been found in the database."""

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do work in the thread and return its result. If this is cancelled, the work goes on."""
        return await asyncio.shield(asyncio.wrap_future(self.submit(work)))

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Have work done in the thread, soon."""
        return self._thread.submit(work)

    async def close(self) -> None:
        """Finish the work, then close the connection."""
        await self.run(self._disconnect)
        self._thread.shutdown()

    # In the thread

    @property
    def version(self) -> int:
        """The version of the server: 150004 is 15.4."""
        return int(self.query("SHOW server_version_num")[0][0] or 0)

    def query(self, sql: str, *, timeout: float | None = _PATIENCE) -> list[tuple[str | None, ...]]:
        """Run statements, and return their rows.

        `timeout` is in seconds; `None` waits for ever.

        Raises:
            PostgresError: the server reported an error.
            OSError: the server is gone.
        """
        if self._connection is not None and self._connection.is_lost:
            self._disconnect()  # a test has restarted the server
        if self._connection is None:
            self._connection = Connection(self._address, user=self._user, database=self._database)
        try:
            return self._connection.query(sql, timeout=timeout)
        except OSError:
            self._disconnect()  # the next query connects again
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
