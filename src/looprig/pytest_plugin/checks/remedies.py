"""Suggestions for async tests and fixtures that use each other but are run by different plugins.

Suggests only what is possible: removing the other plugin's mark, or changing one of the project's own fixtures. Never
suggests that another plugin run one of looprig's services.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, final

import pytest

from looprig.location import Location, location_of
from looprig.pytest_plugin._compat import Definition, has_fixtures
from looprig.pytest_plugin.collection.registry import Registry, plain
from looprig.pytest_plugin.peers.peer import Peer, is_declared

__all__ = ["Party", "Remedies"]


@final
class Party(NamedTuple):
    """A test or fixture, its name, and the other plugin that runs it, or `None` if looprig does."""

    what: pytest.Item | Definition
    name: str
    owner: Peer | None

    @property
    def function(self) -> Any:
        """The function behind it."""
        return plain(getattr(self.what, "obj", None) if isinstance(self.what, pytest.Item) else self.what.func)

    @property
    def owner_name(self) -> str:
        """The name of the plugin that runs it."""
        return "looprig" if self.owner is None else self.owner.name

    @property
    def shown(self) -> tuple[str, Location]:
        """The entry for it in an error."""
        return self.name, location_of(self.function)


@final
class Remedies:
    """The suggestions in one run."""

    def __init__(self, config: pytest.Config, registry: Registry) -> None:
        self._config = config
        self._registry = registry

    def of_clash(self, user: Party, used: Party, item: pytest.Function) -> str:
        """Say how one plugin can run both `user`, a test or one of its fixtures, and the fixture that it uses."""
        ours, theirs = (user, used) if user.owner is None else (used, user)
        assert theirs.owner is not None
        ways = [*self._to_looprig(theirs), *self._to_other(ours, theirs.owner, item)]
        if not ways:
            return f"They cannot be used together: remove {used.name} from {user.name}."
        return f"Let one plugin run both: {', or '.join(ways)}."

    def of_sharing(self, one: Party, two: Party) -> str:
        """Say how one plugin can run two tests that share a fixture."""
        ours, theirs = (one, two) if one.owner is None else (two, one)
        if theirs.owner is None or ours.owner is not None:
            return "Let one plugin run both tests, or let them share no fixture."
        item = ours.what
        assert isinstance(item, pytest.Item)
        assert has_fixtures(item)
        ways = [*self._to_looprig(theirs), *self._to_other(ours, theirs.owner, item)]
        return f"Let one plugin run both tests: {', or '.join(ways)}." if ways else "Let them share no fixture."

    def _to_looprig(self, theirs: Party) -> Iterator[str]:
        owner = theirs.owner
        assert owner is not None
        claim = owner.claims_everything(self._config)
        if isinstance(theirs.what, pytest.Item):
            names = {mark.name for mark in theirs.what.iter_markers()}
            if claim is not None and not self._is_marked(owner, theirs.what):
                yield f"have looprig run all tests ({claim})"
            elif owner.mark.rpartition(".")[2] in names:
                yield f"remove {owner.mark} from {theirs.name}"
            else:
                yield f"remove the fixture {owner.fixture} from {theirs.name}"
        elif owner.decorator and self._is_own(theirs):
            yield f"declare {theirs.name} with @pytest.fixture"
        elif claim is not None and not owner.decorator:
            yield f"have looprig run all tests ({claim})"

    @staticmethod
    def _is_marked(owner: Peer, item: pytest.Item) -> bool:
        return bool(owner.mark) and is_declared(owner.mark.rpartition(".")[2], item)

    def _to_other(self, ours: Party, owner: Peer, item: pytest.Function) -> Iterator[str]:
        if isinstance(ours.what, pytest.Item):
            if owner.mark and not self._registry.is_used_by(item):
                yield f"mark {ours.name} with {owner.mark}"
        elif owner.makes(ours.what):
            if not self._registry.is_used_by(item):
                yield f"mark {item.originalname} with {owner.mark}"
        elif owner.decorator and self._is_own(ours) and not self._registry.is_of_service(ours.what):
            yield f"declare {ours.name} with {owner.decorator}"

    def _is_own(self, party: Party) -> bool:
        path = Path(party.shown[1].path)
        return path.is_relative_to(self._config.rootpath) and "site-packages" not in path.parts
