"""Async tests and fixtures that use each other and are run by different plugins.

They would be on different loops, one for each plugin, and fail later with "attached to a different loop". Does not
decide which plugin owns what (`peers.active` does). Costs nothing in a run without other async plugins.
"""

from typing import final

import pytest

from looprig.exceptions import LoopPlanError
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.scopes import parametrized_scope, scope_place
from looprig.pytest_plugin.checks.item_errors import Found
from looprig.pytest_plugin.checks.remedies import Party, Remedies
from looprig.pytest_plugin.collection.collected import Collected, Group
from looprig.pytest_plugin.is_async import is_async_definition
from looprig.pytest_plugin.peers.active import Peers
from looprig.pytest_plugin.peers.peer import Peer

__all__ = ["mixed_owners"]

_Fixtures = dict[Definition, Peer | None]
"""Async fixtures with their owners."""


def mixed_owners(collected: Collected) -> Found:
    """Yield one error for each pair with different owners."""
    owners = collected.owners
    if not owners:
        return
    clashes = _Clashes(Remedies(collected.session.config, collected.registry))
    # For each shared instance, the plugins that run it, and the tests that they run it for.
    users: dict[tuple[Definition, object], dict[Peer | None, list[pytest.Function]]] = {}
    for group in collected.groups:
        fixtures, pairs = _fixtures_of(group, owners)
        for test in group.tests:
            for definition, owner in fixtures.items():
                place = scope_place(test, parametrized_scope(test, definition), definition)
                users.setdefault((definition, place), {}).setdefault(owner, []).append(test)
        if not group.is_left:
            yield from _errors_of(group, fixtures, pairs, clashes)
    for (definition, _), by_owner in users.items():
        if len(by_owner) > 1:
            one, two = [Party(tests[0], tests[0].name, owner) for owner, tests in [*by_owner.items()][:2]]
            # Tests that looprig stands back from run as without looprig.
            concerned = [test for tests in by_owner.values() for test in tests if not owners.leaves(test)]
            yield clashes.sharing(definition, one, two), concerned


def _errors_of(group: Group, fixtures: _Fixtures, pairs: list[tuple[Party, Party]], clashes: "_Clashes") -> Found:
    for user, used in pairs:
        yield clashes.between(user, used, group.tests[0]), group.tests
    for test in group.tests if group.is_async else ():
        user = Party(test, test.originalname or test.name, group.owner)
        for definition, owner in fixtures.items():
            if owner is not group.owner:
                yield clashes.between(user, Party(definition, definition.argname, owner), test), (test,)


def _fixtures_of(group: Group, owners: Peers) -> tuple[_Fixtures, list[tuple[Party, Party]]]:
    """Return the async fixtures of a group, and the pairs with different owners, including pairs via a sync fixture."""
    found: _Fixtures = {}
    reached: dict[Definition, frozenset[Definition]] = {}
    pairs: list[tuple[Party, Party]] = []
    for definition, requested in group.fixtures:
        below = frozenset[Definition]().union(*(reached[other] for other in requested))
        if not is_async_definition(definition):
            reached[definition] = below
            continue
        owner = found[definition] = owners.owner_of_fixture(definition, group.tests[0])
        reached[definition] = frozenset([definition])
        user = Party(definition, definition.argname, owner)
        pairs += [(user, Party(other, other.argname, found[other])) for other in below if found[other] is not owner]
    return found, pairs


@final
class _Clashes:
    """The errors of one collection: one for each pair, however many tests use it."""

    def __init__(self, remedies: Remedies) -> None:
        self._remedies = remedies
        self._errors: dict[tuple[object, object], LoopPlanError] = {}

    def between(self, user: Party, used: Party, item: pytest.Function) -> LoopPlanError:
        """Return the error for a test or fixture and a fixture that it uses."""
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

    def sharing(self, definition: Definition, one: Party, two: Party) -> LoopPlanError:
        """Return the error for two tests that share a fixture."""
        return LoopPlanError(
            f"{definition.argname} (scope {definition.scope!r}) is shared by {one.name}, where {one.owner_name} runs "
            f"it, and {two.name}, where {two.owner_name} does.",
            [(definition.argname, location_of(definition.func)), one.shown, two.shown],
            self._remedies.of_sharing(one, two),
        )
