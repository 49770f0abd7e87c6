"""The check of the arguments of looprig's markers: missing, surplus or of the wrong type.

Does not apply markers (`markers` and `watch` do). Each node of the collection tree is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from looprig.exceptions import DeclarationError
from looprig.location import UNKNOWN, Location, location_of
from looprig.pytest_plugin.options import ALLOW, CATCH, FORBID, WATCHDOGS

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.item_errors import Found
    from looprig.pytest_plugin.collection.collected import Collected

__all__ = ["wrong_markers"]

_PLAIN: Final = frozenset({CATCH, FORBID})
"""Markers without arguments."""


def wrong_markers(collected: Collected) -> Found:
    """Yield an error for each marker with wrong arguments, with the tests that have it."""
    around: dict[object, list[DeclarationError]] = {}
    for test, group in collected.tests.items():
        if group.is_left:
            continue
        for error in (*_of_node(test), *_around(test.parent, around)):
            yield error, (test,)


def _around(node: Any, known: dict[object, list[DeclarationError]]) -> list[DeclarationError]:
    """Return the errors of a node and of the nodes around it. Each node is checked once."""
    if node is None:
        return []
    if node not in known:
        known[node] = [*_of_node(node), *_around(node.parent, known)]
    return known[node]


def _of_node(node: Any) -> Iterator[DeclarationError]:
    for marker in node.own_markers:
        if marker.name == "loop_timeout":
            from looprig.pytest_plugin.markers import fix_of_timeout  # noqa: PLC0415 - few suites use it

            if fix := fix_of_timeout(marker):
                yield _wrong(marker, node, fix)
        elif marker.name in {ALLOW, WATCHDOGS}:
            from looprig.pytest_plugin.watch.markers import fix_of  # noqa: PLC0415 - few suites use them

            if fix := fix_of(marker):
                yield _wrong(marker, node, fix)
        elif marker.name in _PLAIN and (marker.args or marker.kwargs):
            yield _wrong(marker, node, f"{marker.name} takes no arguments: @pytest.mark.{marker.name}.")


def _wrong(marker: pytest.Mark, node: Any, fix: str) -> DeclarationError:
    from looprig.pytest_plugin.markers import arguments_of  # noqa: PLC0415 - only for an error

    at = location_of(getattr(node, "obj", None))
    party = (node.name, Location(str(node.path), 0) if at == UNKNOWN else at)
    return DeclarationError(f"{node.name} is marked {marker.name}({arguments_of(marker)}).", [party], fix)
