"""The app over HTTP. `TestClient[Rest]` starts `Rest` and what it needs, once, and gives a client of it."""

import pytest
from looprig import TestClient, rig

from notes.models import Added, Event, Expired, NewNote, Note, Page, Problem
from notes.storage import Storage
from tests.services import Database, Rest


async def test_adds_a_note(api: TestClient[Rest], storage: Storage) -> None:
    note = await api.post("/notes", json={"text": "remember the milk"}, into=Note, status=201)
    assert await api.get(f"/notes/{note.id}", into=Note) == note
    assert await storage.get(note.id) == note


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "Object missing required field `text`"),
        ({"text": ""}, "Expected `str` of length >= 1 - at `$.text`"),
        ({"text": 1}, "Expected `str`, got `int` - at `$.text`"),
        ({"text": "soon gone", "lifetime": 0}, "Expected `float` > 0.0 - at `$.lifetime`"),
        ({"text": "hello", "colour": "red"}, "Object contains unknown field `colour`"),
    ],
    ids=["empty", "no text", "not text", "no time", "unknown"],
)
async def test_refuses_what_is_no_note(api: TestClient[Rest], body: dict[str, object], detail: str) -> None:
    assert await api.post("/notes", json=body, into=Problem, status=400) == Problem(detail)


async def test_says_what_is_not_there(api: TestClient[Rest]) -> None:
    problem = await api.get("/notes/1000000", into=Problem, status=404)
    assert problem == Problem("GET /notes/1000000: Not Found")
    await api.delete("/notes/1000000", status=404)
    await api.get("/notes/first", status=404)


async def test_deletes_a_note(api: TestClient[Rest], storage: Storage) -> None:
    note = await storage.add("gone")
    await api.delete(f"/notes/{note.id}", into=None, status=204)
    assert await storage.get(note.id) is None


async def test_pages_through_all_notes(api: TestClient[Rest], storage: Storage) -> None:
    notes = [await storage.add(f"note {number}") for number in range(2 * api.service.page_size + 1)]
    page = await api.get("/notes", into=Page)
    found = page.notes
    while page.next is not None:
        assert len(page.notes) == api.service.page_size
        page = await api.get("/notes", params={"after": page.next}, into=Page)
        found += page.notes
    assert found == notes


async def test_tells_new_notes_to_all_who_follow(api: TestClient[Rest]) -> None:
    async with api.ws("/feed") as one, api.ws("/feed") as other:
        note = await api.post("/notes", json=NewNote("hot news"), into=Note)
        assert await one.receive(into=Event) == Added(note)
        assert await other.receive(into=Event) == Added(note)


async def test_tells_when_a_note_expires(api: TestClient[Rest]) -> None:
    async with api.ws("/feed") as feed:
        note = await api.post("/notes", json=NewNote("soon gone", lifetime=0.01), into=Note)
        assert {await feed.receive(into=Event), await feed.receive(into=Event)} == {Added(note), Expired(note.id)}
    await api.get(f"/notes/{note.id}", status=404)


async def test_ends_the_feed_when_it_stops(api: TestClient[Rest]) -> None:
    async with api.ws("/feed") as feed:
        await api.service.app.shutdown()
        assert await feed.wait_closed() == 1001


async def test_has_pages_of_the_size_that_is_configured(database: Database, storage: Storage) -> None:
    """A test that needs another configuration runs its own `Rest`."""
    one, _ = await storage.add("one"), await storage.add("two")
    async with rig(Rest, database=database, page_size=1) as rest, TestClient(rest) as api:
        assert await api.get("/notes", into=Page) == Page([one], next=one.id)
