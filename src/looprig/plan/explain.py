"""A plan as text: each loop with its scope, place and members, and the chain of fixtures that put each test on it.

Does not print; it yields lines. Goes through tests in collection order, so that the text is the same on every run.
"""

import textwrap
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from looprig.plan.model import Component, Instance, Plan, TestKey

__all__ = ["explain"]

_WIDTH: Final = 118
_TIED: Final = "\N{NO-BREAK SPACE}<-\N{NO-BREAK SPACE}"


def explain(
    plan: Plan,
    name_of: Callable[[TestKey], str],
    way: Callable[[TestKey, int], Sequence[str]],
    own: Sequence[TestKey] = (),
) -> Iterator[str]:
    """Yield the lines of `--explain-loops`.

    `name_of` returns a test's name, and `way` the fixtures between a test and an instance that it reaches. `own` are
    the tests that have a loop of their own.
    """
    for number, component in enumerate(plan.components, 1):
        if not component.tests:
            continue
        yield f"loop {number}: scope {component.scope}, on {component.place.label}, {_count(component)}"
        for declaration in component.declarations:
            yield f"    {declaration.about}: {declaration.name} <- {declaration.location}"
        shown = _shown(component)
        same = Counter((instance.name, instance.location) for instance in shown)
        for instance in shown:
            where = f", on {instance.place.label}" if same[instance.name, instance.location] > 1 else ""
            yield f"    {instance.name} (scope {instance.scope}{where}) <- {instance.location}"
        chains = _Chains(plan, component, name_of, way)
        together: dict[str, list[str]] = {}
        for test in component.tests:
            together.setdefault(chains.of(test), []).append(name_of(test))
        for chain, names in together.items():
            yield from _wrapped(f"{', '.join(names)} -> {component.scope} loop: {chain}")
        yield ""
    if own:
        count = f"{len(own)} test{'s' if len(own) != 1 else ''}"
        yield f"loops of their own: {count} with no wider async fixture"
        yield from _wrapped(", ".join(name_of(test) for test in own))
        yield ""


def _shown(component: Component) -> list[Instance]:
    return [instance for instance in component.instances if not instance.is_alias]


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(
        text.replace(" <- ", _TIED),  # keep a name and its location on one line
        _WIDTH,
        initial_indent="    ",
        subsequent_indent="        ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_TIED, " <- ") for line in lines]


def _count(component: Component) -> str:
    tests, fixtures = len(component.tests), len(_shown(component))
    return f"{tests} test{'s' if tests != 1 else ''}, {fixtures} fixture{'s' if fixtures != 1 else ''}"


class _Chains:
    """The shortest chains from the tests of one component to an instance at the place of the loop."""

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
