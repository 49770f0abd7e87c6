"""The storage of notes: one Protocol, two databases."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from notes.models import Note
from notes.postgres import PostgresStorage
from notes.sqlite import SqliteStorage


class Storage(Protocol):
    """A storage of notes. Later notes have greater ids."""

    async def add(self, text: str, *, expires_at: float | None = None) -> Note:
        """Store a new note."""
        ...

    async def get(self, note_id: int) -> Note | None:
        """Return the note, or `None` if there is none."""
        ...

    async def page(self, *, after: int = 0, limit: int = 100) -> list[Note]:
        """Return the first notes whose ids are greater than `after`, in order."""
        ...

    async def delete(self, note_id: int) -> bool:
        """Delete a note, and return whether it existed."""
        ...

    async def expire(self, now: float) -> list[int]:
        """Delete the notes that have expired at `now`, and return their ids."""
        ...


def open_storage(dsn: str) -> AbstractAsyncContextManager[Storage]:
    """Open `sqlite:///path/to/file` or `postgresql://user@host/database`, and create the table if needed."""
    if dsn.startswith("sqlite:///"):
        return SqliteStorage.open(dsn.removeprefix("sqlite:///"))
    return PostgresStorage.open(dsn)
