"""The result of collection: the tests, the fixtures that they use, and broken declarations.

Decides nothing: `checks` finds mistakes, and `loops` makes the plan.

Invariants:
1. Everything collected is here, including what `-k` and `-m` deselect, so that selection changes nothing.
2. Tests that use the same definitions are in one `Group`, so that facts about their fixtures are computed once.
3. In a suite with nothing async, each definition and each test is looked at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

import pytest

from looprig.pytest_plugin._compat import Definition, all_definitions, has_fixtures
from looprig.pytest_plugin._compat.closures import closure_key, closure_of, complete
from looprig.pytest_plugin.is_async import ENTRYPOINT, is_async_test, is_builtin, may_need_loop

if TYPE_CHECKING:
    from looprig.pytest_plugin.collection.hooks import Collection
    from looprig.pytest_plugin.collection.parameters import BrokenDeclaration
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.peers.active import Peers
    from looprig.pytest_plugin.peers.peer import Peer

__all__ = ["Collected", "Group", "collect"]


@final
class Group:
    """Tests that use the same definitions of fixtures.

    `owner` is the other plugin that runs them, or `None` if looprig does. `is_left` is whether looprig stands back from
    them. `fixtures` maps each definition to those that it requests, which come before it. It is empty in a suite with
    nothing async.
    """

    __slots__ = ("fixtures", "is_async", "is_left", "names", "owner", "tests")

    def __init__(
        self,
        tests: Sequence[pytest.Function],
        fixtures: Sequence[tuple[Definition, tuple[Definition, ...]]],
        *,
        owner: Peer | None,
        is_async: bool,
        is_left: bool,
    ) -> None:
        self.tests: Final = tests
        self.names: Final[Sequence[str]] = closure_of(tests[0]).names
        self.fixtures: Final = fixtures
        self.owner: Final = owner
        self.is_async: Final = is_async
        self.is_left: Final = is_left


@final
class Collected(NamedTuple):
    """The result of one collection.

    `tests` are the items that can have fixtures, unless looprig stands back from all of them, in the order in which
    they were collected. `items` are all items.
    """

    session: pytest.Session
    items: Sequence[pytest.Item]
    tests: Mapping[pytest.Function, Group]
    groups: Sequence[Group]
    registry: Registry
    owners: Peers
    broken: Sequence[BrokenDeclaration]

    def is_broken(self, name: str, function: Any, item: pytest.Item) -> bool:
        """Return whether a function has no fixture `name` because a declaration is broken."""
        return any(each.explains(name, function, item) for each in self.broken)


def collect(items: Sequence[pytest.Item], collection: Collection) -> Collected:
    """Return the result of a collection."""
    tests = [item for item in items if has_fixtures(item)]
    if all(collection.owners.leaves(test) for test in tests):
        tests = []
    definitions = [*all_definitions(collection.session)]
    collection.owners.settle(tests, definitions)
    has_async = any(may_need_loop(each) and not is_builtin(each) for each in definitions) or any(
        ENTRYPOINT in test.fixturenames for test in tests
    )
    alike: dict[tuple[Any, ...], list[pytest.Function]] = {}
    for test in tests:
        if has_async:
            complete(test)
        alike.setdefault(_key(test, collection.owners), []).append(test)
    groups = [
        Group(
            found,
            tuple(closure_of(found[0]).dependencies()) if has_async else (),
            owner=owner,
            is_async=is_async,
            is_left=collection.owners.leaves(found[0]),
        )
        for (owner, is_async, _), found in alike.items()
    ]
    group_of = {test: group for group in groups for test in group.tests}
    return Collected(
        session=collection.session,
        items=items,
        tests={test: group_of[test] for test in tests},
        groups=groups,
        registry=collection.registry,
        owners=collection.owners,
        broken=collection.broken,
    )


def _key(test: pytest.Function, owners: Peers) -> tuple[Any, ...]:
    """Return a key that tests share if they use the same definitions and the same plugin runs them."""
    return owners.owner_of_test(test), is_async_test(test), closure_key(test)
