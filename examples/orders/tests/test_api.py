"""The app over HTTP, without its worker. Each test has a database of its own, and a Redis that is empty."""

import pytest
from looprig import TestClient

from orders.models import NewOrder, Order, Status
from orders.queue import Queue
from tests.services import Jobs, Rest, Stored


async def test_stores_an_order_and_queues_it(api: TestClient[Rest], stored: Stored, jobs: Jobs) -> None:
    order = await api.post("/orders", json={"item": "tea", "quantity": 2}, into=Order, status=201)
    assert order == Order(id=1, item="tea", quantity=2, status=Status.PLACED)
    assert await stored.orders.all() == [order]
    async with Queue.open(jobs.url) as queue:
        assert await queue.take() == order.id


async def test_finds_orders(api: TestClient[Rest], stored: Stored) -> None:
    orders = [await stored.orders.add(NewOrder(item=item)) for item in ("tea", "milk")]
    assert await api.get("/orders", into=list[Order], status=200) == orders
    assert await api.get(f"/orders/{orders[1].id}", into=Order, status=200) == orders[1]
    await api.get("/orders/1000", status=404)


@pytest.mark.parametrize("body", [{}, {"item": ""}, {"item": "tea", "quantity": 0}], ids=["empty", "no name", "none"])
async def test_refuses_what_is_no_order(api: TestClient[Rest], stored: Stored, body: dict[str, object]) -> None:
    await api.post("/orders", json=body, status=422)
    assert await stored.orders.all() == []
