"""Scopes of fixtures, the nodes that instances live on, and the locations of items."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from looprig.location import UNKNOWN, Location, location_of
from looprig.scopes import Scope

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition

__all__ = ["parametrized_scope", "place_of_item", "scope_of", "scope_place"]

_COLLECTORS: Final[dict[Scope, type[pytest.Collector]]] = {
    Scope.CLASS: pytest.Class,
    Scope.MODULE: pytest.Module,
    Scope.PACKAGE: pytest.Package,
}


def scope_of(definition: Definition) -> Scope:
    """Return the scope of a definition."""
    return Scope[definition.scope.upper()]


def parametrized_scope(item: pytest.Item, definition: Definition) -> Scope:
    """Return the scope with which an item uses a definition: a parametrization's scope overrides the definition's."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and definition.argname in callspec.params:
        return Scope[callspec._arg2scope[definition.argname].name.upper()]
    return scope_of(definition)


def scope_place(item: pytest.Item, scope: Scope, definition: Definition | None) -> pytest.Item | pytest.Collector:
    """Return the node that an instance lives on. Compute it as pytest does for a request, without making a request."""
    if scope is Scope.FUNCTION:
        return item
    if scope is Scope.PACKAGE and definition is not None:
        # the package that the fixture is defined in, which need not be the nearest
        packages = (node for node in item.iter_parents() if isinstance(node, pytest.Package))
        return next((package for package in packages if _defines(package, definition)), item.session)
    found = item.getparent(_COLLECTORS[scope]) if scope in _COLLECTORS else None
    if found is None:  # no class around the test, or no package
        return item if scope is Scope.CLASS else item.session
    return found


def _defines(package: pytest.Package, definition: Definition) -> bool:
    return package.nodeid == definition.baseid if definition.node is None else package is definition.node


def place_of_item(item: pytest.Item) -> Location:
    """Return where a test function is defined. For other items, such as doctests, return where pytest reports them."""
    place = location_of(getattr(item, "obj", None))
    if place is not UNKNOWN:
        return place
    path, line, _ = item.reportinfo()
    return Location(str(path), 0 if line is None else line + 1)
