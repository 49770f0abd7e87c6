"""The REST service: its routes, and the connections that live as long as it does."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, cast

from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from orders.models import NewOrder, Order
from orders.queue import Queue
from orders.storage import Storage


def make_app(*, database_url: str, redis_url: str) -> FastAPI:
    """Create the app on a database, whose tables exist, and on a Redis."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        engine = create_async_engine(database_url)
        async with Queue.open(redis_url) as queue:
            app.state.storage = Storage(sessions=async_sessionmaker(engine))
            app.state.queue = queue
            yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    app.post("/orders", status_code=201)(place_order)
    app.get("/orders")(list_orders)
    app.get("/orders/{order_id}")(get_order)
    return app


def storage_of(request: Request) -> Storage:
    """Return the storage of the app that handles a request."""
    return cast("Storage", request.app.state.storage)


def queue_of(request: Request) -> Queue:
    """Return the queue of the app that handles a request."""
    return cast("Queue", request.app.state.queue)


async def place_order(
    new: NewOrder, storage: Annotated[Storage, Depends(storage_of)], queue: Annotated[Queue, Depends(queue_of)]
) -> Order:
    """Store an order, and queue it for the worker."""
    order = await storage.add(new)
    await queue.put(order.id)
    return order


async def list_orders(storage: Annotated[Storage, Depends(storage_of)]) -> list[Order]:
    """Return all orders."""
    return await storage.all()


async def get_order(order_id: int, storage: Annotated[Storage, Depends(storage_of)]) -> Order:
    """Return one order."""
    order = await storage.get(order_id)
    if order is None:
        raise HTTPException(404, f"there is no order {order_id}")
    return order
