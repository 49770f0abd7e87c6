"""The owner of each test and fixture if other async plugins are active: looprig or exactly one of them.

Another plugin owns the tests with its mark and the fixtures with its decorator. looprig owns the rest. If a plugin
claims every async test, looprig stands back: it owns only the tests that use its own declarations, and their fixtures
(`shield` protects those from the other plugin).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, final

import pytest

from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.configs import Configs
from looprig.pytest_plugin.peers import active_peers
from looprig.pytest_plugin.peers.adoption import Adoption
from looprig.pytest_plugin.peers.peer import Peer

__all__ = ["Peers"]


@final
class Peers:
    """The other async plugins that are active in a run. False if there are none."""

    def __init__(self, config: pytest.Config, configs: Configs, is_ours: Callable[[pytest.Function], bool]) -> None:
        """Find the active plugins. `is_ours` says whether a test uses looprig's own declarations."""
        self._active = active_peers(config)
        self.adoption: Final = Adoption(config, self._active, configs)
        self._claiming: Peer | None = next((each for each in self._active if each.claims_everything(config)), None)
        self._is_ours = is_ours

    def __bool__(self) -> bool:
        return bool(self._active)

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._active)

    def settle(self, items: Sequence[pytest.Function], definitions: Iterable[Definition]) -> None:
        """Forget the plugins that own nothing of what was collected, so that they cost the run nothing."""
        self.adoption.settle(items)
        if not self.stands_back and not any(self.leaves(item) for item in items):
            self._claiming = None
        if self._active and self._claiming is None:
            made = [*definitions]
            self._active = [
                each
                for each in self._active
                if any(self._owns(each, item) for item in items)
                or (any(each.makes(definition) for definition in made) and not self.adoption.is_whole(each))
            ]

    @property
    def stands_back(self) -> bool:
        """Whether another plugin runs everything that doesn't use looprig's own declarations."""
        return self._claiming is not None and not self.adoption.is_whole(self._claiming)

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
        return peer.claims_test(item) and not self.adoption.adopts(peer, item)

    def owner_of_fixture(self, definition: Definition, item: pytest.Function) -> Peer | None:
        """Return the other plugin that owns a fixture as used by a test, or `None` if looprig does."""
        if not self._active:
            return None
        for each in self._active:
            if each.claims_fixture(definition, item) and not self.adoption.adopts(each, item):
                return each
        return self._claiming if self.leaves(item) else None

    def leaves(self, item: pytest.Function) -> bool:
        """Return whether looprig stands back from a test and ignores it."""
        if self._claiming is None or self._is_ours(item):
            return False
        return not self.adoption.adopts(self._claiming, item)

    def is_protected(self, item: pytest.Function) -> bool:
        """Return whether a test uses looprig's own declarations, and another plugin should not touch it."""
        return self.owner_of_test(item) is None and not any(self.adoption.adopted_from(item))
