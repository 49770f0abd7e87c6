"""Broken declarations, and the tests that use them.

`collection` keeps an error for each broken declaration. This module finds the tests that can't run because of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from looprig.exceptions import DeclarationError, LooprigError
from looprig.pytest_plugin._compat import visible_definitions
from looprig.pytest_plugin._compat.closures import closure_of, is_ahead
from looprig.pytest_plugin.collection.registry import Registry, plain

if TYPE_CHECKING:
    from looprig.declare.fields import Source
    from looprig.declare.service import ServiceSpec
    from looprig.pytest_plugin.checks.item_errors import Found
    from looprig.pytest_plugin.collection.collected import Collected
    from looprig.pytest_plugin.collection.parameters import BrokenDeclaration

__all__ = ["broken_declarations", "late_providers"]


def broken_declarations(collected: Collected) -> Found:
    """Yield each broken declaration with the tests that use it, if any.

    A name that means two services is only wrong if something uses it: annotations tell the services apart.
    """
    for broken in collected.broken:
        functions = (item for item in collected.items if isinstance(item, pytest.Function))
        concerned = [item for item in functions if _concerns(broken, item)]
        if concerned or not broken.has_fixture:
            yield broken.error, concerned


def _concerns(broken: BrokenDeclaration, item: pytest.Function) -> bool:
    if broken.node not in item.listchain():
        return False
    if broken.everywhere:
        return True
    # A fixture of a node further down overrides it.
    visible = visible_definitions(broken.name, broken.node)
    return any(
        name == broken.name
        and not (user is None and broken.has_fixture and is_ahead(item))
        and (found is None or found in visible)
        and _is_by(broken.asker, item.obj if user is None else user.func)
        for user, name, found in closure_of(item).requests()
    )


def _is_by(asker: Any, function: Any) -> bool:
    return asker is None or plain(asker) is plain(function)


def late_providers(collected: Collected) -> Found:
    """Yield an error for each Protocol whose provider was imported too late for a service that requests it."""
    for fixture, error in _late(collected.registry):
        yield (
            error,
            [
                item
                for item in collected.items
                if isinstance(item, pytest.Function) and fixture in closure_of(item).names
            ],
        )


def _late(registry: Registry) -> Iterator[tuple[str, LooprigError]]:
    for fixture, spec in registry.services.items():
        try:
            for source, provider in registry.fixtures.late_services(spec):
                yield fixture, _came_late(spec, source, provider)
        except DeclarationError as error:
            yield fixture, error


def _came_late(spec: ServiceSpec, source: Source, provider: ServiceSpec) -> DeclarationError:
    taker, given = spec.cls.__qualname__, provider.cls.__qualname__
    return DeclarationError(
        f"{taker}.{source.field} requests what {given} provides, but {given} was imported after {taker} became a "
        "fixture.",
        [spec.party, provider.party],
        f"Import {given} where {taker} is imported first, for example in a conftest.py.",
    )
