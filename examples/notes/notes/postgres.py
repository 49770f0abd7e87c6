"""Notes in PostgreSQL, through asyncpg."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self, final

import asyncpg

from notes.models import Note

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text TEXT NOT NULL, expires_at DOUBLE PRECISION
)
"""


@final
class PostgresStorage:
    """A `Storage` on a PostgreSQL server, through a pool of connections."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncGenerator[Self, None]:
        """Connect to the server."""
        async with asyncpg.create_pool(dsn, min_size=1) as pool:
            await pool.execute(SCHEMA)
            yield cls(pool)

    async def add(self, text: str, *, expires_at: float | None = None) -> Note:
        note_id = await self._pool.fetchval(
            "INSERT INTO notes (text, expires_at) VALUES ($1, $2) RETURNING id", text, expires_at
        )
        return Note(note_id, text, expires_at)

    async def get(self, note_id: int) -> Note | None:
        row = await self._pool.fetchrow("SELECT id, text, expires_at FROM notes WHERE id = $1", note_id)
        return Note(*row) if row else None

    async def page(self, *, after: int = 0, limit: int = 100) -> list[Note]:
        rows = await self._pool.fetch(
            "SELECT id, text, expires_at FROM notes WHERE id > $1 ORDER BY id LIMIT $2", after, limit
        )
        return [Note(*row) for row in rows]

    async def delete(self, note_id: int) -> bool:
        return bool(await self._pool.fetch("DELETE FROM notes WHERE id = $1 RETURNING id", note_id))

    async def expire(self, now: float) -> list[int]:
        rows = await self._pool.fetch("DELETE FROM notes WHERE expires_at <= $1 RETURNING id", now)
        return [row["id"] for row in rows]
