"""The tests and fixtures that run on a loop.

Does not decide on which loop (`loop_plan` does).

Invariant: a sync fixture counts as on a loop if, in any test, it requests a fixture that is. pytest may give the same
instance to all tests, even to those in which its requests mean other fixtures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, final

import pytest

from looprig.pytest_plugin._compat.closures import definitions_in_item
from looprig.pytest_plugin.is_async import LOOP_NAMES, function_in_thread, is_hidden_async_test, may_be_async

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.collected import Collected, Group
    from looprig.pytest_plugin.loops.settings import LoopSettings

__all__ = ["Demand", "demand_of"]


@final
class Demand(NamedTuple):
    """The tests that may be on a loop, each with its fixtures on the loop, and the set of all such fixtures.

    `has_async` is false if none of these tests needs looprig to provide a loop, and none uses a service in a thread.
    Sync tests that use a suite's own `loop` need none.
    """

    tests: Mapping[pytest.Function, Sequence[Definition]]
    fixtures: frozenset[Definition]
    has_async: bool


def demand_of(collected: Collected, settings: LoopSettings) -> Demand:
    """Return the tests and fixtures that run on a loop."""
    needing, standing = _fixtures(collected.groups, settings)

    @cache
    def facts(group: Group) -> tuple[Sequence[Definition], bool, bool]:
        """Return the fixtures on a loop, whether the tests may be on one, and whether looprig must provide it."""
        definitions = [definition for definition, _ in group.fixtures]
        shape = tuple(definition for definition in definitions if definition in standing)
        loops = [*_named_like_loops(group)]
        may_be = group.is_async or bool(shape) or any(_is_loop(each, settings) for each in loops)
        has_own = any(settings.is_own_loop(each) for each in loops)
        needs = group.is_async or has_own or not needing.isdisjoint(definitions)
        return shape, may_be, needs

    tests: dict[pytest.Function, Sequence[Definition]] = {}
    has_async = any(
        function_in_thread(definition.func) is not None
        for group in collected.groups
        for definition, _ in group.fixtures
    )
    for test, group in collected.tests.items():
        if group.owner is None:
            shape, may_be, needs = facts(group)
            is_hidden = not group.is_async and is_hidden_async_test(test)
            if may_be or is_hidden:
                tests[test] = shape
            has_async = has_async or needs or is_hidden
    return Demand(tests, frozenset(standing), has_async)


def _fixtures(groups: Iterable[Group], settings: LoopSettings) -> tuple[set[Definition], set[Definition]]:
    """Return the fixtures that need looprig to provide a loop, and those that run on any loop."""
    needing: set[Definition] = set()
    standing: set[Definition] = set()
    for group in groups:
        for definition, requested in group.fixtures:
            if (
                may_be_async(definition)
                or not needing.isdisjoint(requested)
                or any(settings.is_own_loop(other) for other in requested)
            ):
                needing.add(definition)
            if definition in needing or any(other in standing or _is_loop(other, settings) for other in requested):
                standing.add(definition)
    return needing, standing


def _is_loop(definition: Definition, settings: LoopSettings) -> bool:
    """Return whether a fixture returns a loop: looprig's own fixture, or one of the suite that looprig uses."""
    return definition.argname in LOOP_NAMES and (settings.is_own_loop(definition) or settings.is_provider(definition))


def _named_like_loops(group: Group) -> Iterator[Definition]:
    """Yield the definitions of `loop` and `event_loop` that tests use."""
    for name in LOOP_NAMES:
        if name in group.names:
            yield from definitions_in_item(group.tests[0], name)[-1:]
