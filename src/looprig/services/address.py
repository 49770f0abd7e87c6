"""Where a service listens, and the error for asking before it does.

Does not bind anything. Invariant: an `Address` is of a socket that is bound.
"""

from typing import NamedTuple

from looprig.exceptions import LooprigError
from looprig.location import location_of

__all__ = ["Address", "bound_address"]


class Address(NamedTuple):
    """Host and port of a bound socket, in the order that `asyncio.open_connection` takes."""

    host: str
    port: int


def bound_address(service: object, address: Address | None) -> Address:
    """Give the address, or say that the service is not running."""
    if address is not None:
        return address
    name = type(service).__qualname__
    raise LooprigError(
        f"{name} is not running, so it has no address.",
        ((name, location_of(type(service))),),
        "Ask a running one: take it from its fixture, or use `async with rig(...)`.",
    )
