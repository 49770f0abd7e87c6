"""What goes over the wire, and the table that stores it."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Status(StrEnum):
    """How far an order has come."""

    PLACED = "placed"
    SHIPPED = "shipped"


class NewOrder(BaseModel):
    """The body of `POST /orders`."""

    item: Annotated[str, Field(min_length=1)]
    quantity: Annotated[int, Field(gt=0)] = 1


class Order(NewOrder):
    """A stored order."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    status: Status


class Base(DeclarativeBase):
    """The base of all tables."""


class OrderRow(Base):
    """The table of orders."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]
    quantity: Mapped[int]
    status: Mapped[Status] = mapped_column(default=Status.PLACED)
