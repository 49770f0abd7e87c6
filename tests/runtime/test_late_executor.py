"""An executor that is made late is made once, and not at all if nothing is submitted."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from looprig.runtime.late_executor import LateExecutor


class Made(ThreadPoolExecutor):
    """An executor that counts how often it is made."""

    count = 0

    def __init__(self) -> None:
        super().__init__(2, thread_name_prefix="made")
        Made.count += 1


def test_it_is_made_once_it_is_used() -> None:
    Made.count = 0

    async def use() -> int:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(LateExecutor(Made))
        assert Made.count == 0
        return await asyncio.to_thread(sum, [1, 2]) + await asyncio.to_thread(sum, [3])

    assert asyncio.run(use()) == 6
    assert Made.count == 1


def test_what_was_made_is_shut_down_with_it() -> None:
    made = Made()
    executor = LateExecutor(lambda: made)
    assert executor.submit(sum, [1]).result() == 1
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        made.submit(sum, [1])


def test_nothing_is_made_after_the_shutdown() -> None:
    Made.count = 0
    executor = LateExecutor(Made)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(sum, [1])
    assert Made.count == 0
