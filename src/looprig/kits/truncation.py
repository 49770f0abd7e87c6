"""A database that is emptied after each test: by truncation, for an app that outlives the test and keeps its pool.

Does not create the database (`PostgresDatabase` does).

Invariants:
1. A test begins with what `prepare` left. If tables that would be emptied have rows by then, that is an error.
2. What a test wrote in a transaction that is still open doesn't slip through: it is waited for. Then its connection is
   ended, so that the next test begins with an empty database, and the error is this test's alone.
3. An app that works in the background is never the victim of a deadlock with the truncation: that waits for a lock only
   for a moment, and lets go of all others before it tries again.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Final, Generic, TypeVar

from looprig.declare.fields_meta import Configured, config_field
from looprig.declare.values import Check
from looprig.exceptions import LooprigError
from looprig.kits.databases import PostgresDatabase
from looprig.kits.operators import Operator
from looprig.kits.wire import PostgresError, literal
from looprig.location import location_of
from looprig.runtime.clock import now, sleep

__all__ = ["TruncatedDatabase"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

DatabaseT = TypeVar("DatabaseT", bound=PostgresDatabase[Any])

_PATIENCE: Final = 3.0
"""Seconds to wait for open transactions."""
_TURN: Final = 0.05
"""Seconds to wait for a lock while holding others. PostgreSQL looks for deadlocks after a second, so it finds none that
this is part of, of which it might let the app be the victim."""
_PAUSE: Final = 0.005
_LOCKED: Final = "55P03"  # lock_not_available

# Tables of users: not those of extensions, and no partitions, which are emptied with their parents.
_TABLES: Final = """
SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%'
    AND n.nspname <> 'information_schema' AND c.oid <> ALL ({kept})
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""

# Only tables with rows, since truncating one costs much more than a look at it. Then those that refer to them, as
# PostgreSQL requires; kept ones excepted, for which it raises an error. Gently: with locks that let others read and
# write, since an app that works in the background may never leave all tables alone.
_TRUNCATE: Final = """
DO $looprig$
DECLARE
    kept oid[] := {kept}; dirty oid[] := '{{}}'; more oid[]; found record; has_rows boolean;
BEGIN
    FOR found IN {tables} LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', found.name) INTO has_rows;
        IF has_rows THEN dirty := dirty || found.oid; END IF;
    END LOOP;
    IF dirty <> '{{}}' THEN
        LOOP
            SELECT array_agg(DISTINCT conrelid) INTO more FROM pg_constraint
            WHERE contype = 'f' AND confrelid = ANY (dirty) AND conrelid <> ALL (dirty) AND conrelid <> ALL (kept);
            EXIT WHEN more IS NULL;
            dirty := dirty || more;
        END LOOP;
        IF {gently} AND NOT EXISTS (
            SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = ANY (dirty) AND conrelid = ANY (kept)
        ) THEN
            PERFORM set_config('session_replication_role', 'replica', true);  -- no triggers, as with TRUNCATE
            FOR pass IN 1..2 LOOP  -- what refers to a row may be committed while that row is deleted
                FOR found IN SELECT oid::regclass AS name FROM unnest(dirty) AS oid LOOP
                    EXECUTE format('DELETE FROM %s', found.name);
                END LOOP;
            END LOOP;
        ELSE
            EXECUTE 'TRUNCATE ' || (SELECT string_agg(oid::regclass::text, ', ') FROM unnest(dirty) AS oid);
        END IF;
    END IF;
    FOR found IN
        SELECT format('%I.%I', s.schemaname, s.sequencename)::regclass AS name, s.start_value FROM pg_sequences s
        WHERE s.last_value IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.refobjid = ANY (kept) AND d.deptype IN ('a', 'i')
            AND d.objid = format('%I.%I', s.schemaname, s.sequencename)::regclass
        )
    LOOP
        PERFORM setval(found.name, found.start_value, false);
    END LOOP;
END $looprig$
"""
_WRITERS: Final = """
SELECT pid, application_name, state, query, xact_start FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL
"""
_OF_PIDS: Final = "SELECT {what} FROM pg_stat_activity WHERE pid IN ({pids})"
_CLIENTS: Final = """
SELECT pid, application_name, state, query, xact_start FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start <= clock_timestamp() - interval '{age} s'
"""


_Clients = list[tuple[str | None, ...]]
"""The process id, name, state and last query of each client, and when its transaction began."""


def _end(operator: Operator, clients: _Clients) -> None:
    """End connections, and wait until they have ended."""
    if not clients:
        return
    pids = ", ".join(str(pid) for pid, *_ in clients)
    operator.query(_OF_PIDS.format(what="pg_terminate_backend(pid)", pids=pids))
    until = now() + _PATIENCE
    while operator.query(_OF_PIDS.format(what="pid", pids=pids)) and now() < until:
        time.sleep(_PAUSE)  # in the operator's thread


@dataclass(kw_only=True)
class TruncatedDatabase(Configured, Generic[DatabaseT]):
    """The database of a wider scope, emptied after each test.

        @service_fixture(scope="session")
        @dataclass(kw_only=True)
        class Database(PostgresDatabase[Postgres]): ...  # with a `prepare`, as always

        @service_fixture(autouse=True)
        @dataclass(kw_only=True)
        class Clean(TruncatedDatabase[Database]):
            keep: Sequence[str] = ("alembic_version", "country")

    Deletes the rows of all tables that have any, and resets all sequences. So an app of the session keeps its pool.

    Configuration:
        keep: tables to leave alone, which tests only read, such as `"country"` or `"audit.kinds"`.

    Raises `LooprigError` if a table has rows before the first test, or if a transaction is still open after one.
    """

    _checks: ClassVar[Mapping[str, Check]] = {
        "keep": Check("a list of names", lambda value: isinstance(value, Sequence) and not isinstance(value, str)),
    }

    _answers_nobody: ClassVar[bool] = True  # the server does

    database: DatabaseT
    keep: Sequence[str] = config_field(())

    @property
    def dsn(self) -> str:
        """The URL of the database, for asyncpg, psycopg and other drivers."""
        return self.database.dsn

    def url(self, scheme: str = "postgresql") -> str:
        """Return the URL of the database: for SQLAlchemy with asyncpg, `url("postgresql+asyncpg")`."""
        return self.database.url(scheme)

    async def run(self) -> AsyncIterator[None]:
        """Empty the database when this generator is closed or resumed."""
        operator = self.database.copies.operator(self.database.server, self.database.name)
        await operator.run(lambda: self._check_kept(operator))
        if not operator.is_checked:
            await operator.run(lambda: self._check_empty(operator))
        try:
            yield
        finally:
            open_ = await self._wait_ended(operator, _WRITERS)
            more, in_use = await operator.run(lambda: self._truncate(operator, open_))
            open_ += more
            if in_use:
                open_ += (readers := await self._wait_ended(operator, _CLIENTS.format(age=0)))
                await operator.run(lambda: _end(operator, readers))
            if open_:
                raise self._busy(open_)

    @property
    def _kept(self) -> str:
        return f"ARRAY[{', '.join(f'{literal(name)}::regclass' for name in self.keep)}]::oid[]"

    def _check_kept(self, operator: Operator) -> None:
        """Check that the kept tables exist. This takes a query, so it is done once for each list of them."""
        kept = tuple(self.keep)
        if not kept or kept in operator.known:
            return
        found = operator.query(_TABLES.format(kept="'{}'::oid[]"))
        tables = [str(name).removeprefix("public.") for _, name in found]
        for name in kept:
            try:
                operator.query(f"SELECT {literal(name)}::regclass")
            except PostgresError:
                meant = get_close_matches(name, tables, n=1)
                fix = f"Did you mean {meant[0]!r}? " if meant else ""
                raise self._error(
                    f"has no table {name!r}, which keep names",
                    f"{fix}It has {', '.join(sorted(tables)) or 'no tables'}.",
                ) from None
        operator.known.add(kept)

    def _check_empty(self, operator: Operator) -> None:
        tables = [name for _, name in operator.query(_TABLES.format(kept=self._kept))]
        looks = (f"SELECT {literal(str(name))} WHERE EXISTS (TABLE {name})" for name in tables)
        filled = [str(name) for (name,) in operator.query(" UNION ALL ".join(looks))] if tables else []
        if filled:
            raise self._error(
                f"has rows before its first test, which would be deleted after it: in {', '.join(filled)}",
                "Name tables that tests only read in `keep`. Write other rows in a fixture for each test.",
            )
        operator.is_checked = True

    async def _wait_ended(self, operator: Operator, which: str) -> _Clients:
        """Wait for transactions that are open by now, and return those that still are."""
        until = now() + _PATIENCE
        open_ = await operator.run(lambda: operator.query(which))
        while open_ and now() < until:
            await sleep(_PAUSE)
            found = await operator.run(lambda: operator.query(which))
            # Not for those that began later: an app that works in the background always has some.
            begun = {(pid, start) for pid, *_, start in open_}
            open_ = [client for client in found if (client[0], client[-1]) in begun]
        return open_

    def _truncate(self, operator: Operator, open_: _Clients) -> tuple[_Clients, bool]:
        """Empty the tables, after ending the connections in `open_`.

        Return others that had to be ended too, and whether tables were in use.
        """
        _end(operator, open_)
        more: _Clients = []
        until = now() + _PATIENCE
        is_gentle = False
        try:
            operator.query(f"SET lock_timeout = '{_TURN * 1000:g}ms'")
            while True:
                try:
                    tables = _TABLES.format(kept=self._kept)
                    operator.query(_TRUNCATE.format(kept=self._kept, tables=tables, gently=is_gentle))
                except PostgresError as error:
                    if error.code != _LOCKED or more:
                        raise
                else:
                    return more, is_gentle
                is_gentle = True
                if now() > until:
                    more = operator.query(_CLIENTS.format(age=_PATIENCE)) or operator.query(_CLIENTS.format(age=0))
                    _end(operator, more)
                time.sleep(_PAUSE)  # in the operator's thread, holding no lock
        except PostgresError as error:
            raise self._error(f"could not be emptied: {error.args[0]}", "") from None

    def _busy(self, clients: _Clients) -> LooprigError:
        shown = "\n".join(f"    {name or 'a client'}, {state}: {query}" for _, name, state, query, _ in clients)
        return self._error(
            f"had a transaction still open {_PATIENCE:g} s after the test, whose connection was ended",
            f"{shown}\nCommit or roll back each transaction before the test ends.",
        )

    def _error(self, what: str, fix: str) -> LooprigError:
        parties = [(cls.__qualname__, location_of(cls)) for cls in (type(self), type(self.database))]
        return LooprigError(f"{parties[1][0]} {what}.", parties, fix)
