"""Checks of one annotation: whether it fits the parameter's fixture, and what is wrong if there is no fixture.

Does not look for fixtures (`services` and `existence` do).
"""

import re
import typing
from typing import Any

from typing_extensions import is_protocol

from looprig.declare.annotations import annotations_of
from looprig.declare.fields import service_of
from looprig.declare.lifecycle import has_lifecycle
from looprig.declare.proxy import is_proxy_class, kind_of_proxy, proxied_service, stands_before
from looprig.declare.service import same_class
from looprig.exceptions import DeclarationError
from looprig.location import is_foreign, is_of_looprig, location_of
from looprig.pytest_plugin.collection.annotations import Target, client_service, is_client, unwrapped, written_function

__all__ = ["could_be_service", "fits", "undeclared", "unresolved"]


def unresolved(function: Any, name: str) -> str | None:
    """Return the text of a parameter's annotation if it can't be evaluated at run time."""
    annotation = annotations_of(written_function(function)).get(name)
    if annotation is None or isinstance(annotation, str):
        return annotation
    return re.sub(r"ForwardRef\('([^']*)'[^)]*\)|\b\w+\.", r"\1", repr(annotation))  # TestClient["Missing"]


def undeclared(annotation: Any, function: Any, name: str) -> DeclarationError | None:
    """Return an error if an annotation names a class that looks like a service but isn't one."""
    annotation, _ = unwrapped(annotation)
    qualname = getattr(function, "__qualname__", repr(function))
    party = [(qualname, location_of(function))]
    cls = client_service(annotation) if is_client(annotation) else annotation
    kind = kind_of_proxy(cls) if is_proxy_class(cls) else None
    if kind is not None:
        cls = proxied_service(cls)
    if cls is None:
        vague = kind or "TestClient"
        return DeclarationError(
            f"{qualname} declares {name}: {vague}, but not for which service.",
            party,
            f"Name it: {vague}[Rest].",
            "fixture-missing",
            name,
        )
    if not isinstance(cls, type) or service_of(cls) is not None:
        return None
    base = next((spec for base in cls.__mro__[1:] if (spec := service_of(base)) is not None), None)
    if base is None and cls is annotation and not could_be_service(cls):
        return None
    shown = cls.__qualname__
    if cls is not annotation:
        shown = f"{kind or 'TestClient'}[{shown}]"
    though = f", though {base.cls.__qualname__} is" if base is not None else ""
    return DeclarationError(
        f"{qualname} declares {name}: {shown}, but there is no fixture {name!r}, and {cls.__qualname__} isn't a service"
        f"{though}.",
        [*party, (cls.__qualname__, location_of(cls)), *([base.party] if base is not None else [])],
        f"Decorate {cls.__qualname__} with @service_fixture(...).",
        "fixture-missing",
        name,
    )


def could_be_service(annotation: Any) -> bool:
    """Return whether an annotation is a class of the suite's own that only lacks the decorator of a service."""
    return (
        isinstance(annotation, type)
        and not is_protocol(annotation)
        and has_lifecycle(annotation)
        and not (is_of_looprig(annotation) or is_foreign(location_of(annotation).path))
    )


def fits(known: Target, annotation: Any) -> bool:
    """Return whether the value of a fixture has the annotated type, as far as that is known at run time."""
    annotation, through = unwrapped(annotation)
    # Otherwise the fixture returns the service itself, not one behind a proxy.
    return (through is None or known.through is not None) and _fits_itself(known, annotation)


def _fits_itself(known: Target, annotation: Any) -> bool:
    client = is_client(annotation)
    wanted = client_service(annotation) if client else annotation
    if (before := service_of(proxied_service(wanted))) is not None:
        behind = stands_before(known.spec.cls)
        is_of_kind = kind_of_proxy(known.spec.cls) == kind_of_proxy(wanted)
        return known.client is client and is_of_kind and isinstance(behind, type) and _is_subclass(behind, before.cls)
    if (spec := service_of(wanted)) is not None:
        return known.client is client and _is_subclass(known.spec.cls, spec.cls)
    if client:
        service = client_service(annotation)
        is_vague = not isinstance(service, type) or is_protocol(service)
        return known.client and (is_vague or _is_subclass(known.spec.cls, service))
    # Protocols, unions and the like are left to type checkers.
    if not isinstance(annotation, type) or annotation is Any or is_protocol(annotation):
        return True
    if typing.get_origin(annotation) is not None:
        return True  # list[int] is an instance of type
    return annotation is object if known.client else _is_subclass(known.spec.cls, annotation)


def _is_subclass(cls: type, wanted: type) -> bool:
    """Return `issubclass(cls, wanted)`, even if a class was imported under two module names."""
    return any(same_class(base, wanted) for base in cls.__mro__) or issubclass(cls, wanted)
