"""The storage of orders, in PostgreSQL."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from orders.models import Base, NewOrder, Order, OrderRow, Status


async def create_tables(engine: AsyncEngine) -> None:
    """Create all tables."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@dataclass(kw_only=True, slots=True)
class Storage:
    """The orders, each change in a transaction of its own."""

    sessions: async_sessionmaker[AsyncSession]

    async def add(self, new: NewOrder) -> Order:
        """Store an order."""
        async with self.sessions.begin() as session:
            row = OrderRow(item=new.item, quantity=new.quantity)
            session.add(row)
            await session.flush()
            return Order.model_validate(row)

    async def get(self, order_id: int) -> Order | None:
        """Return an order, if there is one of that id."""
        async with self.sessions() as session:
            row = await session.get(OrderRow, order_id)
            return None if row is None else Order.model_validate(row)

    async def all(self) -> list[Order]:
        """Return all orders, the oldest first."""
        async with self.sessions() as session:
            rows = await session.scalars(select(OrderRow).order_by(OrderRow.id))
            return [Order.model_validate(row) for row in rows]

    async def ship(self, order_id: int) -> bool:
        """Ship an order, and return whether it was waiting for that."""
        waiting = update(OrderRow).where(OrderRow.id == order_id, OrderRow.status == Status.PLACED)
        async with self.sessions.begin() as session:
            shipped = await session.scalar(waiting.values(status=Status.SHIPPED).returning(OrderRow.id))
            return shipped is not None
