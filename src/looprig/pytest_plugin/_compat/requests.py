"""Requests: who asks for a fixture, for which item, and what was set up for that item so far."""

# pytest leaves types out here and there.
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from looprig.pytest_plugin._compat import Definition

__all__ = [
    "active_definition",
    "item_of",
    "item_request",
    "noting_requests",
    "requesting_definition",
    "requesting_node",
    "resolved_definitions",
]


def item_of(request: pytest.FixtureRequest) -> pytest.Function:
    """Return the item that a fixture is set up for. `request.node` is the node of the fixture's scope instead."""
    return request._pyfuncitem


def item_request(item: pytest.Function) -> pytest.FixtureRequest:
    """Return the request of the item itself, which may ask for every scope."""
    return item._request


def requesting_node(request: pytest.FixtureRequest) -> Any:
    """Return the node of whoever asked for the fixture of `request`, which lives no longer than that node."""
    parent = getattr(request, "_parent_request", None)
    return request.node if parent is None else parent.node


def requesting_definition(request: pytest.FixtureRequest) -> Definition | None:
    """Return the definition of whoever asked for the fixture of `request`, or `None` if the test itself did."""
    parent = getattr(request, "_parent_request", None)
    return getattr(parent, "_fixturedef", None)


def active_definition(request: pytest.FixtureRequest, name: str) -> Definition:
    """Return the definition that `name` means in a request, set up if need be."""
    found: Definition | None = request._fixture_defs.get(name)
    return request._get_active_fixturedef(name) if found is None else found


def resolved_definitions(item: pytest.Function) -> Collection[Definition]:
    """Return a view of the definitions that an item has set up or found set up so far, in that order."""
    request: Any = item._request
    return request._fixture_defs.values() if request else ()


@contextmanager
def noting_requests(request: pytest.FixtureRequest, note: Callable[[Definition], None]) -> Generator[None, None, None]:
    """Call `note` with each fixture that is requested through `request` in this block, even if it was set up before.

    pytest calls no hook for those. A doctest's `getfixture` is bound to the request before the doctest runs, so
    replacing `getfixturevalue` would come too late.
    """
    patched = cast("Any", request)
    get = patched._get_active_fixturedef

    def get_and_note(name: str) -> Any:
        found = get(name)
        if isinstance(found, pytest.FixtureDef):
            note(found)
        return found

    patched._get_active_fixturedef = get_and_note
    try:
        yield
    finally:
        del patched._get_active_fixturedef
