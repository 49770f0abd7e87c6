"""The loop plan: which loop each test and each fixture instance runs on.

Decides nothing about loops itself (`looprig.plan` does), opens none (`run` does), and raises no errors: the result
contains the contradictions, each with the tests that it concerns.

Invariant: tests that reach the same instances share one tuple of them, so that the plan costs one dictionary entry for
each test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, final

import pytest

from looprig.plan import Component, Place, Plan, Planner
from looprig.pytest_plugin._compat.parameters import is_parametrized
from looprig.pytest_plugin._compat.scopes import parametrized_scope, place_of_item, scope_of
from looprig.pytest_plugin.loops.demand import Demand, demand_of
from looprig.pytest_plugin.loops.instances import Instances
from looprig.scopes import Scope

if TYPE_CHECKING:
    from looprig.exceptions import LooprigError
    from looprig.location import Location
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.collected import Collected, Group
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.loops.settings import Flavour, LoopSettings

__all__ = ["LoopPlan", "plan_loops"]


@final
class LoopPlan(NamedTuple):
    """The plan of one run.

    `own` are the tests with a loop of their own. `fixtures` are those that run on a loop in some test. `errors` are
    contradictions, each with the tests that it concerns. `has_async` is false if no test needs looprig to provide a
    loop.
    """

    plan: Plan
    instances: Instances
    own: Sequence[pytest.Function]
    fixtures: frozenset[Definition]
    has_async: bool
    errors: Sequence[tuple[LooprigError, Sequence[pytest.Item]]]
    registry: Registry
    settings: LoopSettings

    def component(self, item: pytest.Item) -> Component | None:
        """Return the component of an item, or `None` if the item has a loop of its own or needs no loop."""
        return self.plan.component(item)

    def component_of_instance(self, definition: Definition, node: object, item: pytest.Function) -> Component | None:
        """Return the component that an instance was planned on, or `None` if no test reaches it by declaration."""
        number = self.instances.find(definition, node, self.settings.flavour(item))
        return None if number is None else self.plan.component_of_instance[number]

    def place(self, node: object) -> Place:
        """Return the place of a collection node."""
        return self.instances.place(node)

    def loops_of(self, definition: Definition) -> set[str]:
        """Return a description of the loops that instances of a definition run on, or "" if it needs no loop."""
        numbers = (number for number, each in self.instances.definitions.items() if each is definition)
        components = (self.plan.component_of_instance[number] for number in numbers)
        found = {f"the {component.scope} loop on {component.place.label}" for component in components}
        return found or ({"the loop of the test"} if definition in self.fixtures else set())


def plan_loops(collected: Collected, settings: LoopSettings) -> LoopPlan:
    """Make the plan for everything that was collected."""
    demand = demand_of(collected, settings)
    planner = Planner()
    instances = Instances(planner, collected.registry)
    own = _add_tests(planner, instances, demand, collected, settings) if demand.has_async else []
    plan = planner.solve()
    return LoopPlan(
        plan=plan,
        instances=instances,
        own=own,
        fixtures=demand.fixtures,
        has_async=demand.has_async,
        errors=[*_contradictions(plan)],
        registry=collected.registry,
        settings=settings,
    )


def _contradictions(plan: Plan) -> Iterator[tuple[LooprigError, Sequence[pytest.Item]]]:
    if any(component.declarations for component in plan.components):
        from looprig.plan.check import contradictions  # noqa: PLC0415 - few suites declare anything about loops

        for component, error in contradictions(plan, _party):
            yield error, _items(component)


def _items(component: Component) -> Sequence[pytest.Item]:
    return [test for test in component.tests if isinstance(test, pytest.Item)]


def _party(test: object) -> tuple[str, Location]:
    assert isinstance(test, pytest.Item)
    return test.name, place_of_item(test)


def _add_tests(
    planner: Planner, instances: Instances, demand: Demand, collected: Collected, settings: LoopSettings
) -> list[pytest.Function]:
    """Add the instances and declarations of each test to the planner, and return the tests that reach no instances."""
    by_group: dict[tuple[Group, Flavour], tuple[int, ...]] = {}
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    narrow: list[tuple[pytest.Function, Definition, Flavour]] = []
    own: dict[pytest.Function, None] = {}
    for test, shape in demand.tests.items():
        declared = settings.of(test, instances.place)
        if declared.declarations:
            settings.insert_names(test)
        fixtures = (*shape, *declared.loops)
        is_alike = not (declared.bounds or declared.loops or any(is_parametrized(test, d) for d in shape))
        key = (collected.tests[test], declared.flavour)
        reached = by_group.get(key) if is_alike else None
        if reached is None:
            reached = (
                *instances.of_fixtures(test, fixtures, declared.flavour),
                *instances.of_bounds(test, declared.bounds, declared.flavour),
            )
            narrow += [(test, each, declared.flavour) for each in fixtures if _is_narrowed(test, each)]
            reached = shared.setdefault(reached, reached)
            if is_alike:
                by_group[key] = reached
        if reached:
            planner.add_test(test, reached)
            planner.declare(test, declared.declarations)
        else:
            own[test] = None
    instances.join_nested()
    # A parametrization gives such a test its own instance, but pytest may reuse a live one with a wider scope.
    for test, definition, flavour in narrow:
        if numbers := instances.around(test, definition, flavour):
            planner.add_test(test, (*planner.reached(test), *numbers))
            planner.declare(test, settings.of(test, instances.place).declarations)
            own.pop(test, None)
    return [*own]


def _is_narrowed(item: pytest.Function, definition: Definition) -> bool:
    """Return whether a parametrization narrows a wider fixture, so that an item has an instance of its own."""
    is_own = parametrized_scope(item, definition) is Scope.FUNCTION
    return is_own and scope_of(definition) is not Scope.FUNCTION
