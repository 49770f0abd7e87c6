"""Deadlocks on a busy machine, where a thread may stand still between two steps."""

import pytest

from tests.plugin.suite import run_apart

SUITE = """
    import asyncio, threading

    import looprig.watch.deadlocks as deadlocks

    def late(loop, function):
        '''Ring only when the loop waits again, for something else.'''
        def ring():
            loop.call_soon_threadsafe(first.set)
            waits_again.wait(30)
            real(loop, lambda: (function(), second.set()))()
        return ring

    async def test_goes_on():
        global first, second, waits_again, real
        first, second, waits_again = asyncio.Event(), asyncio.Event(), threading.Event()
        real, deadlocks.ring_on = deadlocks.ring_on, late
        await first.wait()
        waits_again.set()
        await second.wait()
        deadlocks.ring_on = real
"""


def test_a_loop_that_went_on_since_it_was_looked_at_is_not_deadlocked(pytester: pytest.Pytester) -> None:
    run_apart(pytester, SUITE).assert_outcomes(passed=1)
