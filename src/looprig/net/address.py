"""The address of a bound socket.

Does not bind anything. Invariant: it is the address of a socket that is bound.
"""

from typing import NamedTuple

__all__ = ["Address"]


class Address(NamedTuple):
    """Host and port of a bound socket, in the order that `asyncio.open_connection` takes."""

    host: str
    port: int
