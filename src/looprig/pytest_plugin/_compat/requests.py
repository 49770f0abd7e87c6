"""Requests: who requests a fixture, for which item, and what has been set up for that item so far."""

# pytest doesn't annotate everything here.
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
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
    """Return the request of the item itself, which may request fixtures of every scope."""
    return item._request


def requesting_node(request: pytest.FixtureRequest) -> Any:
    """Return the node of the fixture or test that requested the fixture of `request`. It lives as long as that node."""
    parent = getattr(request, "_parent_request", None)
    return request.node if parent is None else parent.node


def requesting_definition(request: pytest.FixtureRequest) -> Definition | None:
    """Return the definition that requested the fixture of `request`, or `None` if the test itself did."""
    parent = getattr(request, "_parent_request", None)
    return getattr(parent, "_fixturedef", None)


def active_definition(request: pytest.FixtureRequest, name: str) -> Definition:
    """Return the definition that `name` means in a request, and set it up if necessary."""
    found: Definition | None = request._fixture_defs.get(name)
    return request._get_active_fixturedef(name) if found is None else found


def resolved_definitions(item: pytest.Function) -> Collection[Definition]:
    """Return a live view of the definitions that an item has set up, or found set up, so far, in that order."""
    request: Any = item._request
    return request._fixture_defs.values() if request else ()


@contextmanager
def noting_requests(request: pytest.FixtureRequest, note: Callable[[Definition], None]) -> Generator[None, None, None]:
    """Call `note` with each fixture requested through `request` in this block, even if it is already set up.

    pytest calls no hook for fixtures that are set up. A doctest's `getfixture` is bound to the request before the
    doctest runs, so replacing `getfixturevalue` would be too late.
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
