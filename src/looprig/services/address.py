"""Where a service listens, and the errors where it cannot, or does not yet.

Does not accept anybody. Invariant: an `Address` is of a socket that is bound.
"""

import socket
from typing import Final

from looprig.exceptions import LooprigError, ServiceStartError
from looprig.location import location_of
from looprig.net.address import Address
from looprig.net.ports import listening_socket

__all__ = ["Address", "bound_address", "listen"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


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


def listen(service: object, host: str) -> socket.socket:
    """Give a socket for the service that listens on a port nobody else has.

    Raises:
        ServiceStartError: the host is not one of this machine's.
    """
    try:
        return listening_socket(host)
    except OSError as error:
        name = type(service).__qualname__
        raise ServiceStartError(
            f"{name} cannot listen on {host}: {error}.", ((name, location_of(type(service))),)
        ) from error
