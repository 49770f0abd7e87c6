import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest


@dataclass
class Worker:
    orders: asyncio.Queue[dict[str, int]] = field(default_factory=asyncio.Queue)
    totals: asyncio.Queue[int] = field(default_factory=asyncio.Queue)

    async def run(self) -> None:
        while True:
            order = await self.orders.get()
            await self.totals.put(order["price"] * order["amount"])


@pytest.fixture(scope="module")
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    task = asyncio.create_task(worker.run())
    yield worker
    task.cancel()


async def test_adds_up_an_order(worker: Worker) -> None:
    await worker.orders.put({"price": 3, "count": 2})
    assert await worker.totals.get() == 6
