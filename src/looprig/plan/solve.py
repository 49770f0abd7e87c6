"""Joins tests and the fixture instances they reach into components: union-find, linear in tests x closure.

Does not look at pytest: `Planner` is told of instances and tests. Keeps no copy of a test's reach: callers hand in
shared tuples, so that 20,000 tests of one shape cost one tuple.
"""

from collections.abc import Sequence
from typing import final

from looprig.plan.model import Component, Declaration, Instance, Plan, TestKey

__all__ = ["Planner"]


@final
class Planner:
    """Collects the facts, then solves them.

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
        """Makes an instance known; the number names it from here on."""
        self._instances.append(instance)
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def add_test(self, test: TestKey, reached: tuple[int, ...]) -> None:
        """A test that reaches these instances, each wider than the test; they will share its loop."""
        if not reached:
            return
        self._reached[test] = reached
        for other in reached[1:]:
            self.join(reached[0], other)

    def reached(self, test: TestKey) -> tuple[int, ...]:
        """The instances that a test was said to reach so far."""
        return self._reached.get(test, ())

    def join(self, one: int, other: int) -> None:
        """Two instances that must share a loop."""
        first, second = self._root(one), self._root(other)
        # The smaller number stays the root, so that components come out in collection order.
        self._parents[max(first, second)] = min(first, second)

    def declare(self, test: TestKey, declarations: tuple[Declaration, ...]) -> None:
        """What is declared about the loop of a test, as seen from that test."""
        if declarations:
            self._declared[test] = declarations

    def _root(self, number: int) -> int:
        parents = self._parents
        root = number
        while parents[root] != root:
            root = parents[root]
        while parents[number] != root:  # path compression keeps the whole linear
            parents[number], number = root, parents[number]
        return root

    def solve(self) -> Plan:
        """The components, each with the highest place of its members as the place of its loop."""
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
                # Each test brings its declarations anew; by what they say they are the same.
                key = (declaration.name, declaration.location, declaration.place, id(declaration.value))
                if key not in (known := seen.setdefault(component, set())):
                    known.add(key)
                    component.declarations.append(declaration)
        return Plan(list(by_root.values()), self._reached, self._instances, of_instance, self._declared)

    @property
    def instances(self) -> Sequence[Instance]:
        """All instances so far, by number."""
        return self._instances
