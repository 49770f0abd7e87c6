"""Finds async tests and fixtures that use each other and are run by different plugins.

Each would be on the loop of its own plugin: "attached to a different loop", later and elsewhere. Does not decide who
owns what (`owners` does). A run without other async plugins pays nothing.
"""

from collections.abc import Iterator
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
    """What does not fit, for each test that it concerns; one error for each pair."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        # By closure: the async fixtures in it with their owners, and what does not fit among them.
        self._under: dict[object, dict[Definition, Owner | None]] = {}
        self._clashes: dict[object, list[LoopPlanError]] = {}
        self._errors: dict[tuple[object, object], LoopPlanError] = {}
        # Who runs a shared instance for which tests.
        self._users: dict[tuple[Definition, object], dict[Owner | None, list[pytest.Function]]] = {}
        self._is_mixed = False

    def check_fixtures(self, closure: object, item: pytest.Function, shape: _Dependencies) -> None:
        """Compare the fixtures in the closure of an item; a sync one hands on what it stands on."""
        if not self._owners:
            return
        owners: dict[Definition, Owner | None] = {}
        reached: dict[Definition, frozenset[Definition]] = {}
        clashes: list[LoopPlanError] = []
        for definition, asked in shape:
            below = frozenset[Definition]().union(*(reached[other] for other in asked))
            if not is_async_definition(definition):
                reached[definition] = below
                continue
            owner = owners[definition] = self._owners.owner_of_fixture(definition, item)
            reached[definition] = frozenset([definition])
            clashes += [
                self._clash((definition, definition.argname, owner), (other, other.argname, owners[other]))
                for other in below
                if owners[other] is not owner
            ]
        self._is_mixed = self._is_mixed or any(owners.values())
        self._under[closure] = owners
        self._clashes[closure] = clashes

    def check_test(self, closure: object, item: pytest.Function, *, is_async: bool) -> list[LoopPlanError]:
        """Compare a test with the async fixtures it stands on, and note whom those run for."""
        under = self._under.get(closure, {})
        test = self._owners.owner_of_test(item)
        self._is_mixed = self._is_mixed or test is not None
        for definition, owner in under.items():
            scope = _compat.parametrized_scope(item, definition)
            place = _compat.scope_place(item, scope, definition)
            self._users.setdefault((definition, place), {}).setdefault(owner, []).append(item)
        if not is_async:
            return self._clashes.get(closure, [])
        return [
            *self._clashes.get(closure, ()),
            *(
                self._clash((item.obj, item.name, test), (definition, definition.argname, owner))
                for definition, owner in under.items()
                if owner is not test
            ),
        ]

    def shared(self) -> Iterator[tuple[pytest.Function, LoopPlanError]]:
        """Yield the tests that share an instance which is run by several plugins, each for some of them."""
        if not self._is_mixed:
            return
        for (definition, _), users in self._users.items():
            if len(users) > 1:
                (first, firsts), (second, seconds) = [*users.items()][:2]
                error = _sharing(definition, (firsts[0], first), (seconds[0], second))
                # Beside a plugin that claims everything, its tests are run as without looprig.
                for owner, items in users.items():
                    if owner is None or not self._owners.stands_back:
                        yield from ((item, error) for item in items)

    def _clash(self, one: tuple[object, str, Owner | None], other: tuple[object, str, Owner | None]) -> LoopPlanError:
        (user, user_name, user_owner), (used, used_name, used_owner) = one, other
        error = self._errors.get((user, used))
        if error is None:
            error = self._errors[user, used] = LoopPlanError(
                f"{user_name} is run by {_name(user_owner)}, and {used_name}, which it uses, by {_name(used_owner)}: "
                "they would be on different loops.",
                [(user_name, _place(user)), (used_name, _place(used))],
                f"Let one plugin run both. {_remedy(user_owner or used_owner)}",
            )
        return error


def _sharing(
    definition: Definition, one: tuple[pytest.Function, Owner | None], two: tuple[pytest.Function, Owner | None]
) -> LoopPlanError:
    (first, first_owner), (second, second_owner) = one, two
    return LoopPlanError(
        f"{definition.argname} (scope {definition.scope!r}) is shared by {first.name}, where "
        f"{_name(first_owner)} runs it, and {second.name}, where {_name(second_owner)} does.",
        [
            (definition.argname, _place(definition)),
            (first.name, location_of(first.obj)),
            (second.name, location_of(second.obj)),
        ],
        f"Let one plugin run both tests. {_remedy(first_owner or second_owner)}",
    )


def _name(owner: Owner | None) -> str:
    return "looprig" if owner is None else owner.name


def _place(what: object) -> Location:
    function: object = getattr(what, "func", what)
    return location_of(function)


def _remedy(owner: Owner | None) -> str:
    assert owner is not None
    return f"Without {owner.how} looprig runs it."
