"""The chains of fixtures that put tests on a loop.

Decides nothing (`solve` does).
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import final

from looprig.plan.model import Component, Plan, TestKey

__all__ = ["Chains"]


@final
class Chains:
    """The shortest chains from the tests of one component to an instance at the place of the loop.

    `name_of` returns a test's name, and `way` the fixtures between a test and an instance that it reaches.
    """

    def __init__(
        self,
        plan: Plan,
        component: Component,
        name_of: Callable[[TestKey], str],
        way: Callable[[TestKey, int], Sequence[str]],
    ) -> None:
        self._plan = plan
        self._name_of = name_of
        self._way = way
        # Breadth first from the top: the test that joins an instance to one nearer the top explains it.
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

    def of(self, test: TestKey) -> str:
        """Return the reason why a test is on this loop."""
        number = min(self._plan.reached[test], key=lambda n: self._rank.get(n, len(self._rank)))
        steps = [self._step(test, number)]
        why = self._why.get(number)
        while why is not None:
            number, joiner = why
            steps.append(f"shared with {self._name_of(joiner)}, which uses {self._step(joiner, number)}")
            why = self._why.get(number)
        return "; ".join(steps)

    def _step(self, test: TestKey, number: int) -> str:
        instance = self._plan.instances[number]
        return " -> ".join([*self._way(test, number), f"{instance.name} <- {instance.location}"])
