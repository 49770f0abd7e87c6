"""Checks of one annotation: whether it fits the parameter's fixture, and what is wrong if there is no fixture.

Does not look for fixtures (`services` and `existence` do).
"""

from __future__ import annotations

import re
import typing
from typing import Any

from typing_extensions import is_protocol

from looprig.declare.annotations import annotations_of
from looprig.declare.fields import service_of
from looprig.declare.hints import is_union
from looprig.declare.lifecycle import has_lifecycle
from looprig.declare.proxy import is_proxy, is_proxy_class, kind_of_proxy, proxied_service, stands_before
from looprig.declare.service import same_class, spec_of
from looprig.exceptions import DeclarationError
from looprig.location import Location, is_foreign, is_of_looprig, location_of
from looprig.pytest_plugin.collection.annotations import Target, client_service, is_client, unwrapped, written_function

__all__ = ["could_be_service", "fits", "how_to_declare", "undeclared", "unresolved"]


def unresolved(function: Any, name: str) -> str | None:
    """Return the text of a parameter's annotation if it can't be evaluated at run time."""
    annotation = annotations_of(written_function(function)).get(name)
    if annotation is None or isinstance(annotation, str):
        return annotation
    return re.sub(r"ForwardRef\('([^']*)'[^)]*\)|\b\w+\.", r"\1", repr(annotation))  # TestClient["Missing"]


def undeclared(annotation: Any, function: Any, name: str) -> DeclarationError | None:
    """Return an error if an annotation names something that looks like a service but isn't one."""
    annotation, _ = unwrapped(annotation)
    named = client_service(annotation) if is_client(annotation) else annotation
    asked = "" if named is annotation else "TestClient"
    if is_proxy_class(named):
        asked, named = str(kind_of_proxy(named)), proxied_service(named)
    qualname = getattr(function, "__qualname__", repr(function))
    party = (qualname, location_of(function))
    if named is None and asked:
        what, fix = f"{qualname} declares {name}: {asked}, but not for which service.", f"Name it: {asked}[Rest]."
        return DeclarationError(what, [party], fix, "fixture-missing", name)
    reason = _no_service(named, is_asked=bool(asked))
    if reason is None:
        return None
    why, parties, fix = reason
    text = f"{asked}[{_shown(named)}]" if asked else _shown(named)
    what = f"{qualname} declares {name}: {text}, but there is no fixture {name!r}, and {why}."
    return DeclarationError(what, [party, *parties], fix, "fixture-missing", name)


def _no_service(named: Any, *, is_asked: bool) -> tuple[str, list[tuple[str, Location]], str] | None:
    """Return why something isn't a service, with its parties and the fix, or `None` if it isn't meant to be one.

    With `is_asked`, a client of it or a proxy in front of it was asked for.
    """
    if not isinstance(named, type):
        members = [spec for member in typing.get_args(named) if (spec := service_of(member)) is not None]
        if (spec := spec_of(named.__class__)) is not None:
            return "it is an instance", [spec.party], f"Annotate it with the class: {spec.cls.__qualname__}."
        if is_union(named) and members:
            return "it may be one of several things", [spec.party for spec in members], "Annotate it with one of them."
        fix = "Name a class that is decorated with @service_fixture(...)."
        return (f"{_shown(named)} isn't a class", [], fix) if is_asked else None
    base = next((spec for base in named.__mro__[1:] if (spec := service_of(base)) is not None), None)
    if service_of(named) is not None or not (base is not None or is_asked or could_be_service(named)):
        return None
    though = f", though {base.cls.__qualname__} is" if base is not None else ""
    parties = [(named.__qualname__, location_of(named)), *([base.party] if base is not None else [])]
    return f"{named.__qualname__} isn't a service{though}", parties, how_to_declare(named)


def _shown(named: Any) -> str:
    """Return the names of classes, and for anything else the class of which it is an instance."""
    if is_union(named):
        return " | ".join(map(_shown, typing.get_args(named)))
    return getattr(named, "__qualname__", None) or f"<a {type(named).__qualname__}>"


def could_be_service(annotation: Any) -> bool:
    """Return whether an annotation is a class of the suite's own that only lacks the decorator of a service."""
    return (
        isinstance(annotation, type)
        and not is_protocol(annotation)
        and has_lifecycle(annotation)
        and not _is_foreign(annotation)
    )


def how_to_declare(cls: type) -> str:
    """Return how to make a service of a class."""
    if _is_foreign(cls):
        return "Name a service of your own that runs it: a class that is decorated with @service_fixture(...)."
    return f"Decorate {cls.__qualname__} with @{'proxy' if is_proxy(cls) else 'service'}_fixture(...)."


def _is_foreign(cls: type) -> bool:
    return is_of_looprig(cls) or is_foreign(location_of(cls).path)


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
