"""Adoption: looprig runs the tests and fixtures of another plugin in that plugin's place.

The other plugin stays active, since its marks, options, hooks and fixtures have to exist. `active` asks this module
which plugins are adopted.

Invariants:
1. A test keeps its id, its place in the order and its parameters.
2. A test that only the other plugin can run is left to it (`Peer.keeps`).
3. Tests that share an instance of an async fixture are run by one plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.adoptable import ADOPTABLE
from looprig.pytest_plugin._compat.closures import closure_of, make_plain
from looprig.pytest_plugin._compat.scopes import parametrized_scope, scope_place
from looprig.pytest_plugin.is_async import LOOP_NAMES, is_async_definition
from looprig.pytest_plugin.options import adoption_asked_for
from looprig.scopes import Scope

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.configs import Configs
    from looprig.pytest_plugin.peers.peer import Peer

__all__ = ["Adoption"]

_NOBODY: Final[frozenset[Peer]] = frozenset()


@final
class Adoption:
    """The plugins that looprig adopts, in the whole run by the option, or for some tests by `loop_config`."""

    def __init__(self, config: pytest.Config, active: Sequence[Peer], configs: Configs) -> None:
        """Read the option.

        Raises:
            pytest.UsageError: the option names a plugin that looprig doesn't know.
        """
        names = adoption_asked_for(config)
        if names is not None and (unknown := sorted(names - ADOPTABLE)):
            shown = " and ".join(repr(name) for name in unknown)
            raise pytest.UsageError(
                f"adopt: {shown} isn't a plugin that looprig can adopt. Give all, or names of "
                f"{', '.join(sorted(ADOPTABLE))}; put paths before --adopt."
            )
        self._active = [peer for peer in active if peer.adopted_as]
        self._everywhere = self._named(ADOPTABLE if names is None else names)
        self._configs = configs
        self._by_module: dict[object, frozenset[Peer]] = {}
        # A test that shares an instance with other tests is run by the plugin that runs those.
        self._joined: set[pytest.Function] = set()
        self._is_used = False
        self._given_back: set[pytest.Function] = set()

    def __bool__(self) -> bool:
        return self._is_used

    def _named(self, names: frozenset[str]) -> frozenset[Peer]:
        return frozenset(peer for peer in self._active if peer.adopted_as in names)

    def is_whole(self, peer: Peer) -> bool:
        """Return whether a plugin is adopted in the whole run."""
        return peer in self._everywhere

    def adopts(self, peer: Peer, item: pytest.Function) -> bool:
        """Return whether looprig runs a test in this plugin's place."""
        if peer not in self._of(item) and item not in self._joined:
            return False
        return item not in self._given_back and not peer.keeps(item)

    def _of(self, item: pytest.Function) -> frozenset[Peer]:
        """Return the plugins that are adopted for a test."""
        if not self._active:
            return _NOBODY
        module = item.getparent(pytest.Module)
        found = self._by_module.get(module)
        if found is None:
            said = [config.adopt for config in self._configs.of(item) if config.adopt is not None]
            found = self._by_module[module] = self._named(said[-1]) if said else self._everywhere
        return found

    @property
    def adopted(self) -> Sequence[Peer]:
        """The plugins that are adopted for some test."""
        return self._active if self._is_used else ()

    def adopted_from(self, item: pytest.Function) -> Iterator[Peer]:
        """Yield the adopted plugins that would otherwise run a test."""
        return (peer for peer in self._active if self.adopts(peer, item) and peer.runs(item))

    def gives_loop(self, definition: Definition) -> bool:
        """Return whether a fixture of an adopted plugin returns the test's loop, so that looprig provides it."""
        return definition.argname in LOOP_NAMES and any(peer.gives_loop(definition) for peer in self._active)

    def loop_given(self, definition: Definition, loop: object, arguments: Mapping[str, Any]) -> None:
        """Do to a loop what the plugin's own loop fixture would do to it."""
        for peer in self._active:
            if peer.gives_loop(definition):
                peer.loop_given(loop, arguments)

    def stand_in(self, definition: Definition, item: pytest.Function) -> Callable[..., Any] | None:
        """Return the function that sets up a fixture of an adopted plugin, instead of the fixture's own function.

        A fixture with a wider scope than function is replaced only if its plugin is adopted in the whole run.
        """
        for peer in self._active:
            if definition.scope == "function" or self.is_whole(peer):
                found = peer.stand_in(definition, item)
                if found is not None:
                    return found
        return None

    def wrapped(self, item: pytest.Function, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a test's function as it would be called by the plugins that looprig runs the test in place of."""
        for peer in self.adopted_from(item):
            wrapper = peer.wrapper_of_test(item)
            if wrapper is not None:
                function = wrapper(function)
        return function

    # Once everything is collected

    def settle(self, tests: Iterable[pytest.Function]) -> None:
        """Decide who runs tests that share a fixture, and turn adopted items into ones of pytest's own class."""
        if not self._active:
            return
        items = [*tests]
        if not any(self.adopts(peer, item) for item in items for peer in self._active):
            self._active = []  # so that unused plugins cost the run nothing
            return
        self._is_used = True
        if any(peer.runs(item) and not self.adopts(peer, item) for item in items for peer in self._active):
            self._join(items)
        for item in items:
            if any(peer.replaces(item) for peer in self.adopted_from(item)):
                make_plain(item)

    def _join(self, items: Sequence[pytest.Function]) -> None:
        """Choose one plugin to run the tests that share an instance of an async fixture.

        It is looprig if looprig runs any of them and can run all.
        """
        users: dict[object, list[pytest.Function]] = {}
        uses: dict[pytest.Function, list[object]] = {}
        for item in items:
            for definition in closure_of(item).used():
                scope = parametrized_scope(item, definition)
                if scope is not Scope.FUNCTION and is_async_definition(definition):
                    instance = definition, scope_place(item, scope, definition)
                    users.setdefault(instance, []).append(item)
                    uses.setdefault(item, []).append(instance)
        # Start with the tests that only the other plugin can run.
        kept = [item for item in uses if any(peer.keeps(item) for peer in self._active)]
        for item in _reached(kept, uses, users):
            self._given_back.add(item)
        adopted = [item for item in uses if item not in self._given_back and any(self.adopted_from(item))]
        for item in _reached(adopted, uses, users):
            self._joined.add(item)


def _reached(
    begin: Iterable[pytest.Function],
    uses: dict[pytest.Function, list[object]],
    users: dict[object, list[pytest.Function]],
) -> set[pytest.Function]:
    """Return all tests that share an instance with one of these, or with one that does."""
    left, found, seen = [*begin], set[pytest.Function](), set[object]()
    while left:
        item = left.pop()
        if item not in found:
            found.add(item)
            for instance in uses.get(item, ()):
                if instance not in seen:
                    seen.add(instance)
                    left += users[instance]
    return found
