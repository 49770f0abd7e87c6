"""A plan as text: one line for each shared loop, its members with their reasons, or what concerns some tests only.

Does not print; it yields lines. Goes through tests in collection order, so that the text is the same on every run.

Invariant: a test that a text leaves out is counted in it, with the way to see it.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, final

from looprig.plan.chains import Chains
from looprig.plan.groups import Group, count, groups_of, merged

if TYPE_CHECKING:
    from looprig.plan.model import Instance, Plan, TestKey

__all__ = ["Others", "Suite", "details", "overview", "some"]

_WIDTH: Final = 120
_TIED: Final = (" <- ", " (", " cases]")
"""Where a line is never broken: between a name and its location, or the number of its cases."""
_LOOPS: Final = 14
"""The lines of an overview: with pytest's own, they fit on a screen."""
_MEMBERS: Final = 6
"""The fixtures and the tests of a loop that are shown beside the tests that were asked for."""
_PLACES: Final = 3

HINT: Final = "-v shows the tests of each loop and why they are on it; --explain-loops=NODEID explains one test"


class Suite(Protocol):
    """The facts about tests that a plan doesn't have."""

    def name(self, test: TestKey) -> str:
        """Return a short name. Tests may share it."""
        ...

    def full_name(self, test: TestKey) -> str:
        """Return the name that only the cases of one test share."""
        ...

    def file(self, test: TestKey) -> str:
        """Return the file of a test."""
        ...

    def way(self, test: TestKey, number: int) -> Sequence[str]:
        """Return the fixtures between a test and an instance that it reaches."""
        ...


@final
class Others(NamedTuple):
    """Tests that are on no shared loop.

    `own` have a loop of their own, `none` need none, and `foreign` are run by another plugin, by its name.
    """

    own: Sequence[TestKey] = ()
    none: Sequence[TestKey] = ()
    foreign: Mapping[str, Sequence[TestKey]] = MappingProxyType({})


_NONE: Final = Others()


def overview(plan: Plan, suite: Suite, others: Others = _NONE, *, hint: bool = False) -> Iterator[str]:
    """Yield a line for each shared loop, and one for all other tests. At most a screenful."""
    groups = groups_of(plan, plan.components)
    cut: list[Group] = []
    shown = groups
    if len(groups) > _LOOPS:
        shown = merged(plan, groups)
    if len(shown) > _LOOPS:
        in_order = sorted(shown, key=lambda group: (-group.scope, -len(group.tests)))
        shown, cut = in_order[:_LOOPS], in_order[_LOOPS:]
    for group in shown:
        yield from _wrapped(group.line(suite.file), "")
    if cut:
        yield from _wrapped(_cut(cut), "")
    yield from _counted(others)
    if groups and (hint or shown is not groups):
        yield HINT
    if groups or any(others):
        yield ""


def _cut(groups: Iterable[Group]) -> str:
    loops: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for group in groups:
        loops[str(group.scope)] += len(group.components)
        tests[str(group.scope)] += len(group.tests)
    parts = (f"{count(number, f'{scope} loop')} of {count(tests[scope], 'test')}" for scope, number in loops.items())
    return f"and {', '.join(parts)}"


def _counted(others: Others) -> Iterator[str]:
    parts: list[str] = []
    if others.own:
        one = len(others.own) == 1
        parts.append(f"{count(len(others.own), 'test')} {'has a loop of its' if one else 'have a loop of their'} own")
    if others.none:
        verb = "has" if len(others.none) == 1 else "have"
        parts.append(f"{count(len(others.none), 'sync test')} {verb} {'none' if parts else 'no loop'}")
    for plugin, tests in others.foreign.items():
        parts.append(f"{count(len(tests), 'test')} {'is' if len(tests) == 1 else 'are'} run by {plugin}")
    if parts:
        yield "; ".join(parts)


def details(plan: Plan, suite: Suite, others: Others = _NONE, *, apart: bool = False) -> Iterator[str]:
    """Yield the members of each loop, with the chain of fixtures that put each test on it.

    Loops that differ only in their factory or executor are shown together, unless `apart`.
    """
    groups = groups_of(plan, plan.components)
    if apart:
        groups = [Group(plan, [component]) for group in groups for component in group.components]
    for group in groups:
        block = _Block(plan, suite, group)
        yield from block.head()
        yield from block.fixtures()
        yield from block.chains(group.tests)
        yield ""
    if others.own:
        yield f"loops of their own: {count(len(others.own), 'test')} with no wider async fixture"
        yield from _wrapped(", ".join(_Names(suite, others.own).listed(others.own)))
        yield ""
    rest = [*_counted(others._replace(own=()))]
    yield from rest
    if rest:
        yield ""


def some(plan: Plan, suite: Suite, tests: Sequence[TestKey], others: Others = _NONE) -> Iterator[str]:
    """Yield which loops these tests are on, why, and who else is on them."""
    wanted = {*tests}
    concerned = [each for each in plan.components if not wanted.isdisjoint(each.tests)]
    for group in groups_of(plan, concerned):
        block = _Block(plan, suite, group)
        yield from block.head()
        yield from block.chains([test for test in group.tests if test in wanted])
        yield from block.fixtures(_MEMBERS)
        yield from block.beside(wanted)
        yield ""
    alone = [
        ("a loop of its own: it uses no async fixture of a wider scope", others.own),
        ("no loop: it is sync, and so is all that it uses", others.none),
        *((f"run by {plugin}", theirs) for plugin, theirs in others.foreign.items()),
    ]
    found = [(why, [test for test in found if test in wanted]) for why, found in alone]
    for why, those in found:
        for name in _Names(suite, those).listed(those):
            yield from _wrapped(f"{name} -> {why}", "")
    if any(those for _, those in found):
        yield ""


class _Names:
    """The names of tests that are shown together: short, unless several have the same short name."""

    def __init__(self, suite: Suite, tests: Iterable[TestKey]) -> None:
        self._suite = suite
        full_names: dict[str, set[str]] = {}
        for test in tests:
            full_names.setdefault(suite.name(test), set()).add(suite.full_name(test))
        self._ambiguous: AbstractSet[str] = {name for name, found in full_names.items() if len(found) > 1}

    def of(self, test: TestKey) -> str:
        """Return the name of a test, which is also that of its other cases."""
        name = self._suite.name(test)
        return self._suite.full_name(test) if name in self._ambiguous else name

    def listed(self, tests: Iterable[TestKey]) -> list[str]:
        """Return each name once, with the number of its cases."""
        cases = Counter(self.of(test) for test in tests)
        return [name if number == 1 else f"{name}[{number} cases]" for name, number in cases.items()]


class _Block:
    """The lines about one group of loops."""

    def __init__(self, plan: Plan, suite: Suite, group: Group) -> None:
        self._group = group
        self._suite = suite
        self._names = _Names(suite, group.tests)
        self._chains = [(each, Chains(plan, each, self._names.of, suite.way)) for each in group.components]

    def head(self) -> Iterator[str]:
        yield from _wrapped(self._group.line(self._suite.file), "")
        declarations = [each for component in self._group.components for each in component.declarations]
        yield from dict.fromkeys(f"    {each.about}: {each.name} <- {each.location}" for each in declarations)

    def fixtures(self, most: int | None = None) -> Iterator[str]:
        shown: dict[tuple[object, ...], list[Instance]] = {}
        for instance in self._group.instances:
            shown.setdefault((instance.name, instance.scope, instance.location), []).append(instance)
        for instance, *others in [*shown.values()][:most]:
            places = [*dict.fromkeys(each.place.label for each in (instance, *others))]
            where = f", on {_first(places, _PLACES)}" if len(places) > 1 else ""
            yield from _wrapped(f"{instance.name} (scope {instance.scope}{where}) <- {instance.location}")
        if most is not None and len(shown) > most:
            yield f"    and {count(len(shown) - most, 'more fixture')} (-v shows all)"

    def chains(self, tests: Iterable[TestKey]) -> Iterator[str]:
        wanted = {*tests}
        together: dict[str, list[TestKey]] = {}
        for component, chains in self._chains:
            for test in component.tests:
                if test in wanted:
                    together.setdefault(chains.of(test), []).append(test)
        for chain, alike in together.items():
            yield from _wrapped(f"{', '.join(self._names.listed(alike))} -> {self._group.scope} loop: {chain}")

    def beside(self, tests: AbstractSet[TestKey]) -> Iterator[str]:
        rest = [test for test in self._group.tests if test not in tests]
        if rest:
            yield from _wrapped(f"other tests: {_first(self._names.listed(rest), _MEMBERS)}")


def _first(names: Sequence[str], most: int) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _wrapped(text: str, indent: str = "    ") -> list[str]:
    for tied in _TIED:
        text = text.replace(tied, tied.replace(" ", "\N{NO-BREAK SPACE}"))
    lines = textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
