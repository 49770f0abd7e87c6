"""The queue of orders that wait for the worker: a list in Redis."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self, cast

from redis.asyncio import Redis

KEY = "orders:placed"


@dataclass(slots=True)
class Queue:
    """The ids of orders, in the order in which they were placed."""

    redis: Redis

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncGenerator[Self]:
        """Connect to Redis."""
        async with Redis.from_url(url, decode_responses=True) as redis:  # pyright: ignore[reportUnknownMemberType]
            yield cls(redis)

    async def put(self, order_id: int) -> None:
        """Add an order."""
        await self.redis.rpush(KEY, str(order_id))

    async def take(self) -> int:
        """Wait for an order, and remove it."""
        _, order_id = cast("list[str]", await self.redis.blpop([KEY]))
        return int(order_id)
