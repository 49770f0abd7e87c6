"""A service as it is seen through a proxy: the same object but for where it is.

Does not carry anything. Invariant: what is read or set on the view is read or set on the service, apart from its
address and what follows from that.
"""

import os
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from looprig.exceptions import LooprigError
from looprig.location import location_of

__all__ = ["address_of", "routed"]

S = TypeVar("S")

_ABSENT: Final = object()


def address_of(service: object) -> tuple[str, int] | str | os.PathLike[str]:
    """Where a service listens: its `address`.

    Raises:
        LooprigError: it has none that can be connected to.
    """
    address: object = getattr(service, "address", None)
    if isinstance(address, tuple):  # an IPv6 address has two members more
        parts: tuple[object, ...] = (*cast("tuple[object, ...]", address), None, None)
        host, port = parts[:2]
        if isinstance(host, str) and isinstance(port, int):
            return host, port
    if isinstance(address, str | os.PathLike):
        return cast("str | os.PathLike[str]", address)
    name = type(service).__qualname__
    has = "no address" if address is None else f"the address {address!r}"
    raise LooprigError(
        f"{name} has {has}, so no proxy can stand in front of it.",
        [(name, location_of(type(service)))],
        "Give it a property `address`: (host, port), or the path of a Unix socket.",
    )


def routed(service: S, instead: Mapping[str, object]) -> S:
    """The service, with other values for some of its attributes: for those that it has."""
    cls = type(service)
    values = {name: value for name, value in instead.items() if getattr(service, name, _ABSENT) is not _ABSENT}
    body: dict[str, Any] = {name: _constant(value) for name, value in values.items()}
    body["__doc__"] = cls.__doc__
    body["__module__"] = cls.__module__
    body["__qualname__"] = cls.__qualname__
    try:
        view: Any = object.__new__(type(cls.__name__, (cls,), body))
        view.__dict__ = service.__dict__
    except (AttributeError, TypeError) as error:
        raise LooprigError(
            f"{cls.__qualname__} cannot be seen through a proxy: {error}.",
            [(cls.__qualname__, location_of(cls))],
            "Let it be a plain class, without __slots__ and not final, or give its proxy's address by hand.",
        ) from error
    return cast("S", view)


def _constant(value: object) -> property:
    return property(lambda _: value)
