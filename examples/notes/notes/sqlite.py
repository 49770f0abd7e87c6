"""Notes in SQLite, through aiosqlite."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self, final

import aiosqlite

from notes.models import Note

SCHEMA = """
PRAGMA journal_mode = WAL;  -- who reads does not wait for who writes
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, expires_at REAL
);
"""


@final
class SqliteStorage:
    """A `Storage` in one file."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, path: str) -> AsyncGenerator[Self, None]:
        """Open the file, and create it if it doesn't exist."""
        async with aiosqlite.connect(path, isolation_level=None) as connection:  # None: autocommit
            await connection.executescript(SCHEMA)
            yield cls(connection)

    async def add(self, text: str, *, expires_at: float | None = None) -> Note:
        (row,) = await self._connection.execute_fetchall(
            "INSERT INTO notes (text, expires_at) VALUES (?, ?) RETURNING id", (text, expires_at)
        )
        return Note(row[0], text, expires_at)

    async def get(self, note_id: int) -> Note | None:
        rows = await self._connection.execute_fetchall(
            "SELECT id, text, expires_at FROM notes WHERE id = ?", (note_id,)
        )
        return next((Note(*row) for row in rows), None)

    async def page(self, *, after: int = 0, limit: int = 100) -> list[Note]:
        rows = await self._connection.execute_fetchall(
            "SELECT id, text, expires_at FROM notes WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
        return [Note(*row) for row in rows]

    async def delete(self, note_id: int) -> bool:
        rows = await self._connection.execute_fetchall("DELETE FROM notes WHERE id = ? RETURNING id", (note_id,))
        return bool(rows)

    async def expire(self, now: float) -> list[int]:
        rows = await self._connection.execute_fetchall("DELETE FROM notes WHERE expires_at <= ? RETURNING id", (now,))
        return [row[0] for row in rows]
