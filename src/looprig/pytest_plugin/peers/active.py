"""The owner of each test and fixture if other async plugins are active: looprig or exactly one of them.

Another plugin owns the tests with its mark and the fixtures with its decorator. looprig owns the rest. If a plugin
claims every async test, looprig stands back: it owns only the tests that use its own declarations, and their fixtures
(`shield` protects those from the other plugin).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.pytest_plugin.options import adoption_asked_for
from looprig.pytest_plugin.peers import active_peers

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.configs import Configs
    from looprig.pytest_plugin.peers.adoption import Adoption
    from looprig.pytest_plugin.peers.peer import Peer

__all__ = ["Peers"]


@final
class Peers:
    """The other async plugins that are active in a run. False if there are none."""

    def __init__(self, config: pytest.Config, configs: Configs, is_ours: Callable[[pytest.Function], bool]) -> None:
        """Find the active plugins. `is_ours` says whether a test uses looprig's own declarations."""
        self._active = active_peers(config)
        self.adoption: Final = self._adoption(config, configs)
        self._claiming: Peer | None = next((each for each in self._active if each.claims_everything(config)), None)
        self._is_ours = is_ours

    def _adoption(self, config: pytest.Config, configs: Configs) -> Adoption | None:
        if not self._active and adoption_asked_for(config) == frozenset():
            return None
        from looprig.pytest_plugin.peers.adoption import Adoption  # noqa: PLC0415 - few runs have other plugins

        return Adoption(config, self._active, configs)

    def __bool__(self) -> bool:
        return bool(self._active)

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._active)

    def settle(self, items: Sequence[pytest.Function], definitions: Iterable[Definition]) -> None:
        """Forget the plugins that own nothing of what was collected, so that they cost the run nothing."""
        if self.adoption is None:
            return
        self.adoption.settle(items)
        if not self.stands_back and not any(self.leaves(item) for item in items):
            self._claiming = None
        if self._active and self._claiming is None:
            made = [*definitions]
            self._active = [
                each
                for each in self._active
                if any(self._owns(each, item) for item in items)
                or (any(each.makes(definition) for definition in made) and not self._is_whole(each))
            ]

    @property
    def stands_back(self) -> bool:
        """Whether another plugin runs everything that doesn't use looprig's own declarations."""
        return self._claiming is not None and not self._is_whole(self._claiming)

    def owner_of_test(self, item: pytest.Function) -> Peer | None:
        """Return the other plugin that owns a test, or `None` if looprig does.

        A plugin that claims every async test owns the sync tests too.
        """
        if not self._active:
            return None
        for each in self._active:
            if self._owns(each, item):
                return each
        return self._claiming if self.leaves(item) else None

    def _owns(self, peer: Peer, item: pytest.Function) -> bool:
        return peer.claims_test(item) and not self.adopts(peer, item)

    def owner_of_fixture(self, definition: Definition, item: pytest.Function) -> Peer | None:
        """Return the other plugin that owns a fixture as used by a test, or `None` if looprig does."""
        if not self._active:
            return None
        for each in self._active:
            if each.claims_fixture(definition, item) and not self.adopts(each, item):
                return each
        return self._claiming if self.leaves(item) else None

    def leaves(self, item: pytest.Function) -> bool:
        """Return whether looprig stands back from a test and ignores it."""
        if self._claiming is None or self._is_ours(item):
            return False
        return not self.adopts(self._claiming, item)

    def adopts(self, peer: Peer, item: pytest.Function) -> bool:
        """Return whether looprig runs a test in this plugin's place."""
        return self.adoption is not None and self.adoption.adopts(peer, item)

    def _is_whole(self, peer: Peer) -> bool:
        return self.adoption is not None and self.adoption.is_whole(peer)

    def adopted_from(self, item: pytest.Function) -> Iterable[Peer]:
        """Return the adopted plugins that would otherwise run a test."""
        return () if self.adoption is None else self.adoption.adopted_from(item)

    def is_protected(self, item: pytest.Function) -> bool:
        """Return whether a test uses looprig's own declarations, and another plugin should not touch it."""
        return self.owner_of_test(item) is None and not any(self.adopted_from(item))
