"""Loops of a plan that are shown together, and the one line that sums them up.

Does not print. Changes nothing about the plan: it's only the explanation that takes loops together.

Invariant: each component with a test is in exactly one group, so that the counts of all groups add up to the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, final

from looprig.location import UNKNOWN
from looprig.scopes import Scope

if TYPE_CHECKING:
    from looprig.location import Location
    from looprig.plan.model import Component, Instance, Place, Plan, TestKey

__all__ = ["Group", "count", "groups_of", "merged"]


@final
class Group:
    """Loops of one scope that exist because of the same declarations."""

    def __init__(self, plan: Plan, components: Sequence[Component]) -> None:
        self.components: Final = components
        self.tests: Final[Sequence[TestKey]] = [test for each in components for test in each.tests]
        self.instances: Final = [i for each in components for i in each.instances if not i.is_alias]
        self.places: Final[Sequence[Place]] = [*dict.fromkeys(component.place for component in components)]
        self._plan = plan

    @property
    def scope(self) -> Scope:
        """The scope of the loops."""
        return self.components[0].scope

    @cached_property
    def causes(self) -> Sequence[Instance]:
        """The declarations that gave the loops their scope, one instance of each, the most used one first."""
        tops = [i for each in self.components for i in each.instances if i.place == each.place]
        tops = [instance for instance in tops if not instance.is_alias] or tops
        found: dict[tuple[str, Location], Instance] = {}
        for instance in tops:
            found.setdefault(_declared(instance), instance)
        if len(found) == 1:
            return [*found.values()]
        uses = Counter(number for test in self.tests for number in self._plan.reached[test])
        used: Counter[tuple[str, Location]] = Counter()
        for number, times in uses.items():
            used[_declared(self._plan.instances[number])] += times
        return sorted(found.values(), key=lambda instance: -used[_declared(instance)])

    def key(self) -> Hashable:
        """Return what the loops have in common, apart from their places."""
        return self.scope, frozenset(_declared(instance) for instance in self.causes)

    def line(self, file_of: Callable[[TestKey], str]) -> str:
        """Return the line that sums the loops up."""
        first, *others = self.causes
        at = "" if first.location == UNKNOWN else f" ({first.location})"
        more = f" and {len(others)} more" if others else ""
        return f"{self._loops()}: {self._members(file_of)}, because of {first.name}{at}{more}"

    def _loops(self) -> str:
        loops = f"{self.scope} loop"
        if len(self.components) > 1:
            loops = f"{len(self.components)} {loops}s"
        if len(self.places) > 1:
            return loops
        where = "" if self.scope >= Scope.SESSION else f" of {self.places[0].label}"
        kinds = dict.fromkeys(each.about for component in self.components for each in component.declarations)
        each = f", one per {' and '.join(kinds) or 'kind'}" if len(self.components) > 1 else ""
        return f"{loops}{where}{each}"

    def _members(self, file_of: Callable[[TestKey], str]) -> str:
        tests = count(len(self.tests), "test")
        if self.scope > Scope.MODULE or len(self.places) > 1:
            files = {file_of(test) for test in self.tests}
            tests += f" in {count(len(files), 'file') if len(files) > 1 else files.pop()}"
        fixtures = len({_declared(instance) for instance in self.instances if instance.is_fixture})
        return f"{tests} and {count(fixtures, 'fixture')}" if fixtures else tests


def _declared(instance: Instance) -> tuple[str, Location]:
    return instance.name, instance.location


def count(number: int, what: str) -> str:
    """Return a number with its noun, in the singular or plural."""
    return f"{number} {what}{'s' if number != 1 else ''}"


def groups_of(plan: Plan, components: Iterable[Component]) -> list[Group]:
    """Return the groups of these components, the widest scope first.

    Components at the same place because of the same declarations are the kinds of one loop, one for each value of a
    parametrized loop factory or executor. They are one group.
    """
    groups = (Group(plan, [component]) for component in components if component.tests)
    found = _joined(plan, groups, lambda group: (group.places[0], group.key()))
    return sorted(found, key=lambda group: (-group.scope, group.places[0].depth))


def merged(plan: Plan, groups: Iterable[Group]) -> list[Group]:
    """Take groups together that differ only in their places."""
    return [*_joined(plan, groups, Group.key)]


def _joined(plan: Plan, groups: Iterable[Group], key: Callable[[Group], Hashable]) -> Iterator[Group]:
    together: dict[Hashable, list[Group]] = {}
    for group in groups:
        together.setdefault(key(group), []).append(group)
    for alike in together.values():
        yield Group(plan, [component for group in alike for component in group.components])
