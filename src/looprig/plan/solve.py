"""The solver: joins tests and the fixture instances they reach into components.

It is a union-find, linear in tests x closure. Does not know pytest: callers add instances and tests to a `Planner`.
Does not copy the instances that a test reaches: callers pass shared tuples, so that 20,000 similar tests need only one.
"""

from __future__ import annotations

from typing import final

from looprig.plan.model import Component, Declaration, Instance, Plan, TestKey

__all__ = ["Planner"]


@final
class Planner:
    """The facts about instances, tests and declarations, to be solved into a `Plan`.

    >>> planner = Planner()
    >>> plan = planner.solve()
    >>> plan.components
    []
    """

    def __init__(self) -> None:
        self._instances: list[Instance] = []
        self._declared: dict[TestKey, tuple[Declaration, ...]] = {}
        self._parents: list[int] = []
        self._reached: dict[TestKey, tuple[int, ...]] = {}

    def add_instance(self, instance: Instance) -> int:
        """Add an instance, and return its number, which identifies it in the other methods."""
        self._instances.append(instance)
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def add_test(self, test: TestKey, reached: tuple[int, ...]) -> None:
        """Add a test that reaches these instances, all wider than the test. They will share one loop."""
        if not reached:
            return
        self._reached[test] = reached
        for other in reached[1:]:
            self.join(reached[0], other)

    def reached(self, test: TestKey) -> tuple[int, ...]:
        """Return the numbers of the instances that a test reaches, or nothing if the test has not been added."""
        return self._reached.get(test, ())

    def join(self, one: int, other: int) -> None:
        """Make two instances share a loop."""
        first, second = self._root(one), self._root(other)
        # Keep the smaller number as the root, so that components come out in collection order.
        self._parents[max(first, second)] = min(first, second)

    def declare(self, test: TestKey, declarations: tuple[Declaration, ...]) -> None:
        """Add the declarations that a test can see about its loop."""
        if declarations:
            self._declared[test] = declarations

    def _root(self, number: int) -> int:
        parents = self._parents
        root = number
        while parents[root] != root:
            root = parents[root]
        while parents[number] != root:  # path compression keeps the algorithm linear
            parents[number], number = root, parents[number]
        return root

    def solve(self) -> Plan:
        """Return the plan. The loop of each component lives at the highest place of its members."""
        by_root: dict[int, Component] = {}
        of_instance: list[Component] = []
        for number, instance in enumerate(self._instances):
            root = self._root(number)
            component = by_root.get(root)
            if component is None:
                component = by_root[root] = Component(instance.place)
            elif instance.place.depth < component.place.depth:
                component.place = instance.place
            component.instances.append(instance)
            of_instance.append(component)
        seen: dict[Component, set[tuple[object, ...]]] = {}
        for test, reached in self._reached.items():
            component = of_instance[reached[0]]
            component.tests.append(test)
            for declaration in self._declared.get(test, ()):
                # Each test has its own `Declaration` objects, so compare their contents.
                key = (declaration.name, declaration.location, declaration.place, id(declaration.value))
                if key not in (known := seen.setdefault(component, set())):
                    known.add(key)
                    component.declarations.append(declaration)
        return Plan(list(by_root.values()), self._reached, self._instances, of_instance, self._declared)
