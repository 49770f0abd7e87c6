"""The worker, as a process: alone, and behind the app."""

import asyncio

from looprig import TestClient

from orders.models import NewOrder, Order, Status
from orders.queue import Queue
from tests.services import Jobs, Rest, Stored, Worker


async def shipped(stored: Stored, order: Order) -> Order:
    """Wait until an order has been shipped. The time limit of the test ends it otherwise."""
    while (found := await stored.orders.get(order.id)) is None or found.status is not Status.SHIPPED:  # noqa: ASYNC110 - by a process
        await asyncio.sleep(0.01)
    return found


async def test_ships_what_is_placed(api: TestClient[Rest], worker: Worker, stored: Stored) -> None:
    order = await api.post("/orders", json={"item": "tea"}, into=Order, status=201)
    await shipped(stored, order)
    assert f"shipped {order.id}" in worker.output_of_test
    assert (await api.get(f"/orders/{order.id}", into=Order)).status is Status.SHIPPED


async def test_ships_each_order_once(worker: Worker, stored: Stored, jobs: Jobs) -> None:
    order, other = await stored.orders.add(NewOrder(item="tea")), await stored.orders.add(NewOrder(item="milk"))
    async with Queue.open(jobs.url) as queue:
        for order_id in (order.id, order.id, other.id):
            await queue.put(order_id)
    await shipped(stored, other)
    assert worker.output.count(f"shipped {order.id}") == 1
