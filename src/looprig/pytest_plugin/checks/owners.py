"""Finds async tests and fixtures that use each other and are run by different plugins.

Each would be on the loop of its own plugin: "attached to a different loop", later and elsewhere. Does not decide who
owns what (`owners` does). A run without other async plugins pays nothing.
"""

from collections.abc import Iterator
from typing import final

import pytest

from looprig.exceptions import LoopPlanError
from looprig.location import location_of
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.checks.remedies import Party, Remedies
from looprig.pytest_plugin.loops.is_async import is_async_definition
from looprig.pytest_plugin.peers.active import Peers
from looprig.pytest_plugin.peers.peer import Peer

__all__ = ["Mixing"]

_Dependencies = tuple[tuple[Definition, tuple[Definition, ...]], ...]


@final
class Mixing:
    """What does not fit, for each test that it concerns; one error for each pair."""

    def __init__(self, owners: Peers, remedies: Remedies) -> None:
        self._remedies = remedies
        self._owners = owners
        # By closure: the async fixtures in it with their owners, and what does not fit among them.
        self._under: dict[object, dict[Definition, Peer | None]] = {}
        self._clashes: dict[object, list[LoopPlanError]] = {}
        self._errors: dict[tuple[object, object], LoopPlanError] = {}
        # Who runs a shared instance for which tests.
        self._users: dict[tuple[Definition, object], dict[Peer | None, list[pytest.Function]]] = {}

    def check_fixtures(self, closure: object, item: pytest.Function, shape: _Dependencies) -> None:
        """Compare the fixtures in the closure of an item; a sync one hands on what it stands on."""
        if not self._owners:
            return
        owners: dict[Definition, Peer | None] = {}
        reached: dict[Definition, frozenset[Definition]] = {}
        clashes: list[LoopPlanError] = []
        for definition, asked in shape:
            below = frozenset[Definition]().union(*(reached[other] for other in asked))
            if not is_async_definition(definition):
                reached[definition] = below
                continue
            owner = owners[definition] = self._owners.owner_of_fixture(definition, item)
            reached[definition] = frozenset([definition])
            user = Party(definition, definition.argname, owner)
            clashes += [
                self._clash(user, Party(other, other.argname, owners[other]), item)
                for other in below
                if owners[other] is not owner
            ]
        self._under[closure] = owners
        self._clashes[closure] = clashes

    def check_test(self, closure: object, item: pytest.Function, *, is_async: bool) -> list[LoopPlanError]:
        """Compare a test with the async fixtures it stands on, and note whom those run for."""
        under = self._under.get(closure, {})
        test = self._owners.owner_of_test(item)
        for definition, owner in under.items():
            scope = _compat.parametrized_scope(item, definition)
            place = _compat.scope_place(item, scope, definition)
            self._users.setdefault((definition, place), {}).setdefault(owner, []).append(item)
        if not is_async:
            return self._clashes.get(closure, [])
        user = Party(item, item.originalname or item.name, test)
        return [
            *self._clashes.get(closure, ()),
            *(
                self._clash(user, Party(definition, definition.argname, owner), item)
                for definition, owner in under.items()
                if owner is not test
            ),
        ]

    def shared(self) -> Iterator[tuple[pytest.Function, LoopPlanError]]:
        """Yield the tests that share an instance which is run by several plugins, each for some of them."""
        for (definition, _), users in self._users.items():
            if len(users) > 1:
                one, two = [Party(items[0], items[0].name, owner) for owner, items in [*users.items()][:2]]
                error = self._sharing(definition, one, two)
                # Beside a plugin that claims everything, its tests are run as without looprig.
                concerned = (item for items in users.values() for item in items if not self._owners.leaves(item))
                yield from ((item, error) for item in concerned)

    def _clash(self, user: Party, used: Party, item: pytest.Function) -> LoopPlanError:
        key = (user.function, used.function)
        error = self._errors.get(key)
        if error is None:
            error = self._errors[key] = LoopPlanError(
                f"{user.name} is run by {user.owner_name}, and {used.name}, which it uses, by {used.owner_name}: they "
                "would be on different loops.",
                [user.shown, used.shown],
                self._remedies.of_clash(user, used, item),
            )
        return error

    def _sharing(self, definition: Definition, one: Party, two: Party) -> LoopPlanError:
        return LoopPlanError(
            f"{definition.argname} (scope {definition.scope!r}) is shared by {one.name}, where {one.owner_name} runs "
            f"it, and {two.name}, where {two.owner_name} does.",
            [(definition.argname, location_of(definition.func)), one.shown, two.shown],
            self._remedies.of_sharing(one, two),
        )
