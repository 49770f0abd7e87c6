"""Tells a plan in words: each loop, its scope and place, its members, and for each test the chain that made it so.

Does not print: it gives lines. Walks tests in collection order, so that the text is the same on every run.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from looprig.plan.model import Component, Instance, Plan, TestKey

__all__ = ["explain"]


def explain(plan: Plan, name_of: Callable[[TestKey], str], own: Sequence[TestKey] = ()) -> Iterator[str]:
    """The lines of `--explain-loops`.

    `name_of` gives a test's name; `own` are the tests that have a loop to themselves.
    """
    for number, component in enumerate(plan.components, 1):
        if not component.tests:
            continue
        yield f"loop {number}: scope {component.scope}, on {component.place.label}, {_count(component)}"
        for declaration in component.declarations:
            yield f"    {declaration.about}: {declaration.name} <- {declaration.location}"
        for instance in component.instances:
            yield f"    {instance.name} (scope {instance.scope}) <- {instance.location}"
        chains = _Chains(plan, component)
        for test in component.tests:
            yield f"    {name_of(test)} -> {component.scope} loop: {chains.of(test, name_of)}"
        yield ""
    if own:
        yield f"loops of their own: {len(own)} test{'s' if len(own) != 1 else ''}"
        for test in own:
            yield f"    {name_of(test)} -> function loop: no async fixture wider than the test"
        yield ""


def _count(component: Component) -> str:
    tests, fixtures = len(component.tests), len(component.instances)
    return f"{tests} test{'s' if tests != 1 else ''}, {fixtures} fixture{'s' if fixtures != 1 else ''}"


class _Chains:
    """For one component: the shortest way from each test to an instance at the place of the loop."""

    def __init__(self, plan: Plan, component: Component) -> None:
        self._plan = plan
        # Breadth first from the top: an instance is explained by the test that joins it to one nearer the top.
        self._why: dict[int, tuple[int, TestKey] | None] = {}
        tests_of: dict[int, list[TestKey]] = {}
        for test in component.tests:
            for number in plan.reached[test]:
                tests_of.setdefault(number, []).append(test)
        queue: deque[int] = deque()
        for number in tests_of:
            if plan.instances[number].place.depth == component.place.depth:
                self._why[number] = None
                queue.append(number)
        while queue:
            number = queue.popleft()
            for test in tests_of.pop(number, ()):
                for other in plan.reached[test]:
                    if other not in self._why:
                        self._why[other] = (number, test)
                        queue.append(other)
        self._rank = {number: rank for rank, number in enumerate(self._why)}

    def of(self, test: TestKey, name_of: Callable[[TestKey], str]) -> str:
        number = min(self._plan.reached[test], key=lambda n: self._rank.get(n, len(self._rank)))
        steps = [_place(self._plan.instances[number])]
        why = self._why.get(number)
        while why is not None:
            number, joiner = why
            steps.append(f"shared with {name_of(joiner)}, which uses {_place(self._plan.instances[number])}")
            why = self._why.get(number)
        return "; ".join(steps)


def _place(instance: Instance) -> str:
    return f"{instance.name} <- {instance.location}"
