"""The address of a service, and the errors if it can't listen or isn't running.

Does not accept connections. Invariant: an `Address` belongs to a bound socket.
"""

import socket
from typing import Final

from looprig.exceptions import LooprigError, ServiceStartError
from looprig.location import location_of
from looprig.net.address import Address
from looprig.net.ports import listening_socket

__all__ = ["Address", "bound_address", "listen"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


def bound_address(service: object, address: Address | None) -> Address:
    """Return `address`.

    Raises:
        LooprigError: it is `None`, since the service isn't running.
    """
    if address is not None:
        return address
    name = type(service).__qualname__
    raise LooprigError(
        f"{name} is not running, so it has no address.",
        ((name, location_of(type(service))),),
        "Use a running one: take it from its fixture, or start it with `async with rig(...)`.",
    )


def listen(service: object, host: str) -> socket.socket:
    """Return a socket that listens on a free port of `host` for the service.

    Raises:
        ServiceStartError: the host isn't an address of this machine.
    """
    try:
        return listening_socket(host)
    except OSError as error:
        name = type(service).__qualname__
        raise ServiceStartError(
            f"{name} cannot listen on {host}: {error}.", ((name, location_of(type(service))),)
        ) from error
