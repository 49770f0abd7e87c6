"""The worker by itself: a test requests it by type, and it runs for the length of that test."""

from notes.models import Expired
from notes.storage import Storage
from tests.services import FastSweeper


async def test_deletes_expired_notes_and_tells_so(sweeper: FastSweeper, storage: Storage) -> None:
    with sweeper.feed.listen() as events:
        kept = await storage.add("for long")
        note = await storage.add("expired", expires_at=1.0)
        assert await events.get() == Expired(note.id)
    assert await storage.page() == [kept]
