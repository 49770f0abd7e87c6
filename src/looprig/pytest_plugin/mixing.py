"""Finds async tests and fixtures that use each other and are run by different plugins.

Each would be on the loop of its own plugin: "attached to a different loop", later and elsewhere. Does not decide who
owns what (`owners` does). A run without other async plugins pays nothing.
"""

from typing import final

import pytest

from looprig.exceptions import LoopPlanError
from looprig.location import Location, location_of
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.owners import Owner, Owners
from looprig.pytest_plugin.recognize import is_async_definition

__all__ = ["Mixing"]

_Dependencies = tuple[tuple[Definition, tuple[Definition, ...]], ...]


@final
class Mixing:
    """The `errors` found while a plan is made; one for each pair that does not fit."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._under: dict[int, dict[Definition, frozenset[Definition]]] = {}
        self._told: set[tuple[object, object]] = set()
        # Who runs a shared instance, and the first test that made it so.
        self._first: dict[tuple[Definition, object], tuple[Owner | None, pytest.Function]] = {}
        self.errors: list[LoopPlanError] = []

    def check_fixtures(self, item: pytest.Function, shape: _Dependencies) -> None:
        """Holds the fixtures in the closure of an item against each other; a sync one hands on what it stands on."""
        if not self._owners:
            return
        reached: dict[Definition, frozenset[Definition]] = {}
        for definition, asked in shape:
            below = frozenset[Definition]().union(*(reached[other] for other in asked))
            if not is_async_definition(definition):
                reached[definition] = below
                continue
            reached[definition] = frozenset([definition])
            for other in below:
                self._compare(
                    (definition, definition.argname, self._owners.owner_of_fixture(definition, item)),
                    (other, other.argname, self._owners.owner_of_fixture(other, item)),
                )
        self._under[id(_compat.fixture_info(item))] = reached

    def check_test(self, item: pytest.Function, *, is_async: bool) -> None:
        """Holds a test against the async fixtures it stands on, and those against other tests of theirs."""
        if not self._owners:
            return
        under = self._under.get(id(_compat.fixture_info(item)), {})
        test = self._owners.owner_of_test(item)
        for definition in frozenset[Definition]().union(*under.values()):
            owner = self._owners.owner_of_fixture(definition, item)
            if is_async:
                self._compare((item.obj, item.name, test), (definition, definition.argname, owner))
            scope = _compat.parametrized_scope(item, definition)
            place = _compat.scope_place(item, scope, definition)
            first, other = self._first.setdefault((definition, place), (owner, item))
            if first is not owner:
                self._shared(definition, (other, first), (item, owner))

    def _compare(self, one: tuple[object, str, Owner | None], other: tuple[object, str, Owner | None]) -> None:
        (user, user_name, user_owner), (used, used_name, used_owner) = one, other
        if user_owner is used_owner or (user, used) in self._told:
            return
        self._told.add((user, used))
        self.errors.append(
            LoopPlanError(
                f"{user_name} is run by {_name(user_owner)}, and {used_name}, which it uses, by {_name(used_owner)}: "
                "they would be on different loops.",
                [(user_name, _place(user)), (used_name, _place(used))],
                f"Let one plugin run both. {_remedy(user_owner or used_owner)}",
            )
        )

    def _shared(
        self,
        definition: Definition,
        one: tuple[pytest.Function, Owner | None],
        two: tuple[pytest.Function, Owner | None],
    ) -> None:
        if (definition, None) in self._told:
            return
        self._told.add((definition, None))
        (first, first_owner), (second, second_owner) = one, two
        self.errors.append(
            LoopPlanError(
                f"{definition.argname} (scope {definition.scope!r}) is shared by {first.name}, where "
                f"{_name(first_owner)} runs it, and {second.name}, where {_name(second_owner)} does.",
                [
                    (definition.argname, _place(definition)),
                    (first.name, _compat.place_of_item(first)),
                    (second.name, _compat.place_of_item(second)),
                ],
                f"Let one plugin run both tests. {_remedy(first_owner or second_owner)}",
            )
        )


def _name(owner: Owner | None) -> str:
    return "looprig" if owner is None else owner.name


def _place(what: object) -> Location:
    function: object = getattr(what, "func", what)
    return location_of(function)


def _remedy(owner: Owner | None) -> str:
    assert owner is not None
    return f"Without {owner.how} looprig runs it."
