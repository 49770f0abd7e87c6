"""The instances of fixtures that tests reach: each is a definition at a node, which depends on the scope.

Decides nothing about loops (`looprig.plan` does).

Invariant: all instances that pytest may give to a test, in any order of tests, are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.location import location_of
from looprig.plan import Instance, Place, Planner
from looprig.pytest_plugin._compat.scopes import parametrized_scope, scope_place
from looprig.scopes import Scope

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.loops.settings import Bound, Flavour

__all__ = ["Instances"]


@final
class Instances:
    """The instances of one plan, which are numbered."""

    def __init__(self, planner: Planner, registry: Registry) -> None:
        self._planner = planner
        self._registry = registry
        # The key is a definition or a declared scope, the node, and the flavour.
        self._numbers: dict[tuple[object, Any, Flavour], int] = {}
        self.definitions: Final[dict[int, Definition]] = {}
        """The definition of each fixture instance, by number."""
        self.place: Final[Callable[[Any], Place]] = cache(_place)

    def of_fixtures(self, item: pytest.Function, shape: Iterable[Definition], flavour: Flavour) -> Iterator[int]:
        """Yield the instances that an item reaches and that have a wider scope than the item."""
        for definition in shape:
            # A parametrization may give an instance another scope than that of its definition.
            scope = parametrized_scope(item, definition)
            if scope is Scope.FUNCTION or (node := scope_place(item, scope, definition)) is item:
                continue
            number = self._numbers.get((definition, node, flavour))
            if number is None:
                label, location = self._registry.label(definition), location_of(definition.func)
                is_alias = self._registry.target(definition) is not None
                shown = self._registry.declared_scope(definition, scope)
                number = self._planner.add_instance(Instance(label, shown, self.place(node), location, is_alias))
                self._numbers[definition, node, flavour] = number
                self.definitions[number] = definition
            yield number

    def of_bounds(self, item: pytest.Function, bounds: Iterable[Bound], flavour: Flavour) -> Iterator[int]:
        """Yield an instance for each declaration that gives the loop of an item a wider scope than the item's own."""
        for bound in bounds:
            node = scope_place(item, bound.scope, None)
            if bound.scope is Scope.FUNCTION or node is item:
                continue
            number = self._numbers.get((bound, node, flavour))
            if number is None:
                place = self.place(node)
                instance = Instance(bound.name, bound.scope, place, bound.location, is_fixture=False)
                number = self._numbers[bound, node, flavour] = self._planner.add_instance(instance)
            yield number

    def join_nested(self) -> None:
        """Join instances of one definition at nested nodes.

        pytest caches one instance of a definition. The tests of a nested class get the instance of the outer class
        while it is alive, and otherwise one of their own. The plan must not depend on which test runs first.
        """
        by_definition: dict[tuple[object, Flavour], dict[Any, int]] = {}
        for (definition, node, flavour), number in self._numbers.items():
            by_definition.setdefault((definition, flavour), {})[node] = number
        for numbers in by_definition.values():
            for node, number in numbers.items() if len(numbers) > 1 else ():
                for around in node.listchain()[-2::-1]:
                    if around in numbers:
                        self._planner.join(number, numbers[around])

    def around(self, item: pytest.Function, definition: Definition, flavour: Flavour) -> tuple[int, ...]:
        """Return the instances of a definition on the nodes around an item."""
        numbers = (self._numbers.get((definition, node, flavour)) for node in item.listchain()[-2::-1])
        return tuple(number for number in numbers if number is not None)

    def find(self, definition: Definition, node: object, flavour: Flavour) -> int | None:
        """Return the number of an instance, or `None` if no test reaches it by declaration."""
        return self._numbers.get((definition, node, flavour))


def _place(node: Any) -> Place:
    label = node.nodeid if node.nodeid not in {"", "."} else "the session"
    return Place(node, len(node.listchain()) - 1, label, _kind(node))


def _kind(node: object) -> Scope:
    if isinstance(node, pytest.Session):
        return Scope.SESSION
    if isinstance(node, pytest.Directory):
        return Scope.PACKAGE
    if isinstance(node, pytest.Module):
        return Scope.MODULE
    return Scope.CLASS if isinstance(node, pytest.Class) else Scope.FUNCTION
