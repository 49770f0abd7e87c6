"""A view of a service through a proxy: the same object, but with the proxy's address.

Does not carry any traffic. Invariant: all attributes are read from and set on the service, except its address and those
derived from it.
"""

import os
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from looprig.exceptions import DeclarationError, LooprigError
from looprig.location import location_of

__all__ = ["address_of", "routed"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

S = TypeVar("S")

_ABSENT: Final = object()


def address_of(service: object) -> tuple[str, int] | str | os.PathLike[str]:
    """Return the `address` on which a service listens.

    Raises:
        DeclarationError: the service has no address, or one that can't be connected to.
    """
    try:
        address: object = getattr(service, "address", None)
    except LooprigError:
        address = getattr(service, "path", None)  # it listens on a Unix socket; or this raises the error again
    if isinstance(address, tuple):  # an IPv6 address has two more items
        parts: tuple[object, ...] = (*cast("tuple[object, ...]", address), None, None)
        host, port = parts[:2]
        if isinstance(host, str) and isinstance(port, int):
            return host, port
    if isinstance(address, str | os.PathLike):
        return cast("str | os.PathLike[str]", address)
    name = type(service).__qualname__
    has = "no address" if address is None else f"the address {address!r}"
    raise DeclarationError(
        f"{name} has {has}, so no proxy can be put in front of it.",
        [(name, location_of(type(service)))],
        "Give it a property `address`: (host, port), or the path of a Unix socket.",
    )


def routed(service: S, instead: Mapping[str, object]) -> S:
    """Return a view of the service with the values in `instead` for those attributes that the service has."""
    cls = type(service)
    values = {name: value for name, value in instead.items() if _has(service, name)}
    body: dict[str, Any] = {name: _constant(value) for name, value in values.items()}
    body["__doc__"] = cls.__doc__
    body["__module__"] = cls.__module__
    body["__qualname__"] = cls.__qualname__
    try:
        view: Any = object.__new__(type(cls.__name__, (cls,), body))
        object.__setattr__(view, "__dict__", service.__dict__)  # a service may refuse to be changed
    except (AttributeError, TypeError) as error:
        raise LooprigError(
            f"{cls.__qualname__} cannot be routed through a proxy: {error}.",
            [(cls.__qualname__, location_of(cls))],
            "Make it a plain class that has no __slots__ and isn't final, or pass on the proxy's address by hand.",
        ) from error
    return cast("S", view)


def _has(service: object, name: str) -> bool:
    try:
        return getattr(service, name, _ABSENT) is not _ABSENT
    except LooprigError:  # it listens on a Unix socket, and so has no port, or the other way round
        return True


def _constant(value: object) -> property:
    def get(_: object) -> object:
        if isinstance(value, LooprigError):
            raise value
        return value

    return property(get)
