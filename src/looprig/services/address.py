"""The address of a service, and the errors if it can't listen, isn't running, or has ended too early.

Does not accept connections. Invariant: an `Address` belongs to a bound socket.
"""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from looprig.exceptions import LooprigError, ServiceStartError, summary
from looprig.location import location_of
from looprig.net.address import Address
from looprig.net.ports import listening_socket
from looprig.runtime.operation import running
from looprig.runtime.tasks import Party, RunningTest, party_of

__all__ = ["Address", "bound_address", "listen", "note_end", "running_test"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_A = TypeVar("_A", bound=Address | Path)
_END: Final = "_looprig_end"
"""The attribute that records how a service ended too early, and during which test."""


def bound_address(service: object, address: _A | None) -> _A:
    """Return `address`.

    Raises:
        LooprigError: `address` is `None`, since the service isn't running.
    """
    if address is not None:
        return address
    name = type(service).__qualname__
    end: tuple[str, Party | None] | None = getattr(service, _END, None)
    if end is not None:
        how, during = end
        raise LooprigError(
            f"{name} has no address any more: it {how}{f' during {during[0]}' if during else ' while it was in use'}.",
            [(name, location_of(type(service))), *([during] if during else [])],
        )
    raise LooprigError(
        f"{name} is not running, so it has no address.",
        ((name, location_of(type(service))),),
        "Use a running one: take it from its fixture, or start it with `async with rig(...)`.",
    )


def running_test() -> RunningTest | None:
    """Return the running test, if there is one."""
    owners = (operation.owner for operation in reversed(running.operations))
    return next((owner for owner in owners if isinstance(owner, RunningTest)), None)


def note_end(service: object, error: BaseException | None, during: RunningTest | None) -> None:
    """Record that a service has ended while it was in use, for errors about its address later."""
    is_crash = error is not None and not isinstance(error, asyncio.CancelledError | GeneratorExit)
    what = error.what if isinstance(error, LooprigError) else summary(error) if error is not None else ""
    how = f"crashed ({what.removesuffix('.')})" if is_crash else "ended"
    with suppress(AttributeError, TypeError):  # it may have slots, or be frozen
        setattr(service, _END, (how, party_of(during)))


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
