"""Tells the planner what pytest collected, and keeps its answer for the run.

Decides nothing about loops itself (`looprig.plan` does) and runs nothing (`running` does).

Invariants:
1. The plan is made from all that was collected, before `-k` and `-m` deselect: selection moves no loop.
2. Tests of one shape share one tuple of reached instances: the plan costs one dictionary entry a test.
"""

from collections.abc import Sequence
from typing import Any, Final, final

import pytest

from looprig.declare.loop_config import LoopConfig
from looprig.exceptions import LooprigError
from looprig.location import Location, location_of
from looprig.plan import Component, Instance, Place, Plan, Planner
from looprig.plan.check import contradictions
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.collecting import Collecting
from looprig.pytest_plugin.loop_settings import Flavour, Settings
from looprig.pytest_plugin.recognize import is_async_definition, is_async_test, is_builtin, needs_loop
from looprig.scopes import Scope

__all__ = ["Planning"]

_Shape = tuple[tuple[Definition, Scope], ...]
NO_INSTANCE: Final = -1


@final
class Planning:
    """The plan of a run, and the questions the run asks of it."""

    def __init__(self, session: pytest.Session, items: Sequence[pytest.Item], collecting: Collecting) -> None:
        self.session = session
        self._owners = collecting.owners
        self._registry = collecting.registry
        self._settings = collecting.settings
        self._errors: list[LooprigError] = []
        self._planner = Planner()
        self._places: dict[object, Place] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._shapes: dict[int, _Shape] = {}
        self._reached: dict[tuple[int, Flavour], tuple[int, ...]] = {}
        self.own: list[pytest.Function] = []
        self.has_async = any(
            is_async_definition(definition) and not is_builtin(definition)
            for definition in _compat.all_definitions(session)
        )
        for item in items:
            if isinstance(item, pytest.Function):
                self._add(item)
        self.plan: Plan = self._planner.solve()
        # Only needed while planning; 20,000 tests would keep them alive for nothing.
        self._shapes.clear()
        self._reached.clear()

    @property
    def settings(self) -> Settings:
        """What fixtures and `loop_config` declare about loops."""
        return self._settings

    def errors(self) -> list[LooprigError]:
        """All contradictions of the plan, and of the services in it."""
        return [*self._errors, *contradictions(self.plan, self._party)]

    @staticmethod
    def _party(test: object) -> tuple[str, Location]:
        assert isinstance(test, pytest.Function)
        return test.name, location_of(test.obj)

    # Facts for the planner

    def _add(self, item: pytest.Function) -> None:
        shape = self._shape(item)
        is_async = is_async_test(item)
        if is_async:
            self.has_async = True
        if not (is_async or shape) or self._owners.owner_of_test(item) is not None:
            return
        declarations = self._settings.declarations(item, self.place)
        if declarations:
            self._settings.insert_names(item)
        reached = self._reach(item, shape)
        if reached:
            self._planner.add_test(item, reached)
            self._planner.declare(item, declarations)
        elif is_async or shape:
            self.own.append(item)

    def _shape(self, item: pytest.Function) -> _Shape:
        """The definitions that need a loop in the closure of an item, the function-scoped ones too."""
        info = _compat.fixture_info(item)
        shape = self._shapes.get(id(info))
        if shape is None:
            shape = tuple(
                (definition, _compat.scope_of(definition))
                for definition in _compat.closure(info)
                if needs_loop(definition)
            )
            self._shapes[id(info)] = shape
            self._errors += self._registry.errors([definition for definition, _ in shape], item)
            self.has_async = self.has_async or bool(shape)
        return shape

    def _reach(self, item: pytest.Function, shape: _Shape) -> tuple[int, ...]:
        configs = self._settings.configs(item)
        flavour = self._settings.flavour(item)
        if any(definition.params is not None for definition, _ in shape):
            # A parametrization may give an instance another scope than its definition has.
            shape = tuple((definition, _compat.parametrized_scope(item, definition)) for definition, _ in shape)
        elif not configs:
            key = (id(_compat.fixture_info(item)), flavour)
            reached = self._reached.get(key)
            if reached is None:
                reached = self._reached[key] = self._instances(item, shape, flavour)
            return reached
        declared = (number for config in configs if (number := self._declared_scope(item, config, flavour)) >= 0)
        return (*self._instances(item, shape, flavour), *declared)

    def _instances(self, item: pytest.Function, shape: _Shape, flavour: Flavour) -> tuple[int, ...]:
        return tuple(
            self._number(definition, scope, node, flavour)
            for definition, scope in shape
            if scope is not Scope.FUNCTION and (node := _compat.scope_place(item, scope, definition)) is not item
        )

    def _number(self, definition: Definition, scope: Scope, node: Any, flavour: Flavour) -> int:
        key = (definition, node, flavour)
        number = self._numbers.get(key)
        if number is None:
            place = location_of(definition.func)
            number = self._planner.add_instance(Instance(definition.argname, scope, self.place(node), place))
            self._numbers[key] = number
        return number

    def _declared_scope(self, item: pytest.Function, config: LoopConfig, flavour: Flavour) -> int:
        if config.scope is Scope.FUNCTION:
            return NO_INSTANCE
        node = _compat.scope_place(item, config.scope, None)
        if node is item:
            return NO_INSTANCE
        key = (config.location, node, flavour)
        number = self._numbers.get(key)
        if number is None:
            place = self.place(node)
            number = self._planner.add_instance(Instance("loop_config", config.scope, place, config.location))
            self._numbers[key] = number
        return number

    def place(self, node: Any) -> Place:
        """The place of a collection node."""
        place = self._places.get(node)
        if place is None:
            depth = len(node.listchain()) - 1
            label = node.nodeid or "the session"
            place = self._places[node] = Place(node, depth, label if label != "." else "the session", _kind(node))
        return place

    # Questions of the run

    def component(self, item: pytest.Item) -> Component | None:
        """The component of an item; `None` where its loop, if it needs one, is its own."""
        return self.plan.component(item)

    def component_of_instance(self, definition: Definition, node: object, item: pytest.Function) -> Component | None:
        """The component that an instance was planned on; `None` where no test reaches it by declaration."""
        number = self._numbers.get((definition, node, self._settings.flavour(item)))
        return None if number is None else self.plan.component_of_instance[number]


def _kind(node: object) -> Scope:
    if isinstance(node, pytest.Session):
        return Scope.SESSION
    if isinstance(node, pytest.Directory):
        return Scope.PACKAGE
    if isinstance(node, pytest.Module):
        return Scope.MODULE
    return Scope.CLASS if isinstance(node, pytest.Class) else Scope.FUNCTION


