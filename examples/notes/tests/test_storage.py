"""The storage by itself. Plain `async def` tests without markers: they run on the loop of `storage`."""

import asyncio

from notes.storage import Storage


async def test_gives_back_what_was_added(storage: Storage) -> None:
    note = await storage.add("remember the milk", expires_at=99.5)
    assert await storage.get(note.id) == note
    assert note.text == "remember the milk"
    assert note.expires_at == 99.5


async def test_has_nothing_under_an_unknown_id(storage: Storage) -> None:
    assert await storage.get(1_000_000) is None
    assert not await storage.delete(1_000_000)


async def test_adds_side_by_side(storage: Storage) -> None:
    notes = await asyncio.gather(*(storage.add(f"note {number}") for number in range(20)))
    assert len({note.id for note in notes}) == 20
    assert await storage.page() == sorted(notes, key=lambda note: note.id)


async def test_pages_in_order_of_ids(storage: Storage) -> None:
    first, second, third = [await storage.add(text) for text in ("one", "two", "three")]
    assert await storage.page(limit=2) == [first, second]
    assert await storage.page(after=second.id, limit=2) == [third]
    assert await storage.page(after=third.id) == []


async def test_deletes_once(storage: Storage) -> None:
    note = await storage.add("gone")
    assert await storage.delete(note.id)
    assert not await storage.delete(note.id)


async def test_expires_what_is_due_and_nothing_else(storage: Storage) -> None:
    due = await storage.add("due", expires_at=10.0)
    later = await storage.add("later", expires_at=10.1)
    forever = await storage.add("forever")
    assert await storage.expire(now=10.0) == [due.id]
    assert await storage.page() == [later, forever]
