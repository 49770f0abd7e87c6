"""The feed by itself. These tests share no fixture, so each has its own loop."""

import asyncio

from notes.feed import Feed
from notes.models import Expired


async def test_tells_everyone_who_listens() -> None:
    feed = Feed()
    with feed.listen() as one, feed.listen() as other:
        feed.publish(Expired(1))
        assert await one.get() == await other.get() == Expired(1)


async def test_wakes_who_waits() -> None:
    feed = Feed()
    with feed.listen() as events:
        waiting = asyncio.create_task(events.get())
        await asyncio.sleep(0)
        feed.publish(Expired(1))
        assert await waiting == Expired(1)


def test_tells_nothing_to_who_has_left() -> None:
    feed = Feed()
    with feed.listen() as events:
        pass
    feed.publish(Expired(1))
    assert events.empty()
