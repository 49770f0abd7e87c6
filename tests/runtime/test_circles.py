"""Tasks that wait for each other in a circle can be ended, though `Task.cancel` recurses on them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from looprig.runtime.host import Host
from looprig.runtime.limit import Limit

Wait = Callable[["asyncio.Task[Any]"], Awaitable[Any]]


async def directly(task: "asyncio.Task[Any]") -> None:
    await task


async def gathered(task: "asyncio.Task[Any]") -> None:
    await asyncio.gather(task, asyncio.Event().wait())


@pytest.mark.parametrize("wait", [directly, gathered])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_limit_ends_tasks_that_wait_in_a_circle(host: Host, wait: Wait, size: int) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def wait_for(number: int) -> None:
        await asyncio.sleep(0)
        await wait(tasks[number])

    async def start() -> None:
        """Wait for the first task, and be waited for by the last."""
        task = asyncio.current_task()
        assert task is not None
        tasks.extend(asyncio.create_task(wait_for(number + 1)) for number in range(size))
        tasks.append(task)
        await tasks[0]

    with pytest.raises(TimeoutError):
        host.run(start(), what="waiting", limit=Limit(0.05, TimeoutError))
    assert all(task.cancelled() for task in tasks)


def test_those_that_are_left_over_end_with_the_host(host: Host) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def wait_for(number: int) -> None:
        await asyncio.sleep(0)
        await tasks[number]

    async def start() -> None:
        tasks.extend(asyncio.create_task(wait_for(number)) for number in (1, 2, 0))
        await asyncio.sleep(0.01)

    host.run(start(), what="starting")
    host.close()
    assert all(task.cancelled() for task in tasks)
