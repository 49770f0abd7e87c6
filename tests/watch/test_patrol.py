"""The patrol looks at the main thread, and keeps nothing of what it has seen."""

import asyncio
import time
import weakref

from looprig.watch.blocking import Block, Blocking
from looprig.watch.deadlocks import Deadlocks
from looprig.watch.patrol import PERIOD, Patrol


class Thing:
    """Something that is referred to by a function that runs a loop."""


def test_nothing_that_the_callers_of_a_loop_hold_is_kept_alive() -> None:
    found: list[Block] = []
    is_on_duty = True
    guards = Blocking(4 * PERIOD, found.append, lambda: None), Deadlocks([], lambda _error: False)
    patrol = Patrol(lambda: is_on_duty, guards)

    async def block() -> None:
        time.sleep(10 * PERIOD)  # noqa: ASYNC251 - this is what the patrol looks for

    def run() -> "weakref.ref[Thing]":
        thing = Thing()
        patrol.start()
        with asyncio.Runner() as runner:
            runner.run(block())
        return weakref.ref(thing)

    reference = run()
    is_on_duty = False
    while patrol.is_under_way:
        time.sleep(PERIOD)
    assert found
    assert reference() is None
