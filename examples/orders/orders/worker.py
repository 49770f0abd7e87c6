"""The worker, a process of its own: `python -m orders.worker DATABASE_URL REDIS_URL`. It ships orders."""

import asyncio
import sys

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from orders.queue import Queue
from orders.storage import Storage


async def work(database_url: str, redis_url: str) -> None:
    """Ship orders as they come, until this is cancelled."""
    engine = create_async_engine(database_url)
    storage = Storage(sessions=async_sessionmaker(engine))
    async with Queue.open(redis_url) as queue:
        print("ready", flush=True)  # noqa: T201 - for whoever starts it
        while True:
            order_id = await queue.take()
            if await storage.ship(order_id):
                print(f"shipped {order_id}", flush=True)  # noqa: T201 - the log of a worker


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
