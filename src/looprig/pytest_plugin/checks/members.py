"""The check that services have a `url` for their clients, or an `address` for their proxies.

Does not check the values: a service may still return a wrong one when it runs, which is reported then.

Invariant: an attribute counts as present if any code of the class mentions it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType
from typing import TYPE_CHECKING, Any

from looprig.declare.annotations import annotations_of
from looprig.declare.proxy import is_proxy, stands_before
from looprig.declare.service import ServiceSpec, spec_of
from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.pytest_plugin.collection.functions import no_url

if TYPE_CHECKING:
    from looprig.pytest_plugin.collection.annotations import Target

__all__ = ["declares_url", "no_address_behind", "no_url_of"]


def no_address_behind(proxy: ServiceSpec) -> DeclarationError | None:
    """Return the error for a proxy in front of a service that has no `address`."""
    service = stands_before(proxy.cls) if is_proxy(proxy.cls) else None
    if not isinstance(service, type) or not _lacks(service, "address"):
        return None
    name = service.__qualname__
    declared = [proxy.party] if spec_of(proxy.cls) is not None else []
    return DeclarationError(
        f"{name} has no address, so no proxy can be put in front of it.",
        [(name, location_of(service)), *declared],
        "Give it a property `address`: (host, port), or the path of a Unix socket.",
    )


def no_url_of(target: Target) -> DeclarationError | None:
    """Return the error for a client of a service that has no `url`."""
    if not target.client or not _lacks(target.spec.cls, "url") or _may_be_a_path(target.spec.cls):
        return None
    return no_url(target.spec)


def declares_url(cls: type) -> bool:
    """Return whether a class has a `url`, and no method of that name, which composes the URL of a database."""
    declared = inspect.getattr_static(cls, "url", None)
    if declared is None:
        return any("url" in annotations_of(base) for base in cls.__mro__[:-1])
    return not inspect.isfunction(declared)


def _may_be_a_path(cls: type) -> bool:
    """Return whether the `address` of a class may be the path of a Unix socket, as far as its annotation says."""
    if _lacks(cls, "address"):
        return False
    for base in cls.__mro__[:-1]:
        getter = getattr(vars(base).get("address"), "fget", None)
        hint = annotations_of(base).get("address") or getattr(getter, "__annotations__", {}).get("return")
        if hint is not None:
            return hint is str or any(word in str(hint) for word in ("Path", "str |", "| str")) or hint == "str"
    return True


def _lacks(cls: type, name: str) -> bool:
    """Return whether instances of a class have no attribute of this name, not even one set when they start."""
    if hasattr(cls, name) or hasattr(cls, "__getattr__"):
        return False
    for base in cls.__mro__[:-1]:
        if name in annotations_of(base):
            return False
        if any(_mentions(code, name) for value in vars(base).values() for code in _code_of(value)):
            return False
    return True


def _code_of(member: Any) -> Iterator[CodeType]:
    functions = [getattr(member, "__func__", member), *(getattr(member, part, None) for part in ("fget", "fset"))]
    for function in functions:
        code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
        if isinstance(code, CodeType):
            yield code


def _mentions(code: CodeType, name: str) -> bool:
    return (
        name in code.co_names
        or name in code.co_consts
        or any(_mentions(inner, name) for inner in code.co_consts if isinstance(inner, CodeType))
    )
