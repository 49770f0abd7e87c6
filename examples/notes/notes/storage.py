"""Where notes are kept: one Protocol, two databases."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from notes.models import Note
from notes.postgres import PostgresStorage
from notes.sqlite import SqliteStorage


class Storage(Protocol):
    """Keeps notes. A later note has a greater id."""

    async def add(self, text: str, *, expires_at: float | None = None) -> Note:
        """Keeps a new note."""
        ...

    async def get(self, note_id: int) -> Note | None:
        """The note, if there is one."""
        ...

    async def page(self, *, after: int = 0, limit: int = 100) -> list[Note]:
        """The first notes whose ids are greater than `after`, in order."""
        ...

    async def delete(self, note_id: int) -> bool:
        """Deletes a note; whether there was one."""
        ...

    async def expire(self, now: float) -> list[int]:
        """Deletes the notes whose time was up at `now`, and gives their ids."""
        ...


def open_storage(dsn: str) -> AbstractAsyncContextManager[Storage]:
    """Opens `sqlite:///path/to/file` or `postgresql://user@host/database`, and makes the table if need be."""
    if dsn.startswith("sqlite:///"):
        return SqliteStorage.open(dsn.removeprefix("sqlite:///"))
    return PostgresStorage.open(dsn)
