"""The hook that loads the set-up of fixtures, once the first one is set up.

Sets nothing up itself (`fixtures` does).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, final

import pytest

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.run.fixtures import FixtureSetup

__all__ = ["FirstFixture"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class FirstFixture:
    """The hook, which is replaced by the one that `load` returns."""

    def __init__(self, manager: pytest.PytestPluginManager, load: Callable[[], FixtureSetup]) -> None:
        self._manager = manager
        self._load = load

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: Definition, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Register the hook for all further fixtures, and have it set up this one."""
        self._manager.unregister(self)
        fixtures = self._load()
        self._manager.register(fixtures, "looprig.fixture_setup")
        return (yield from fixtures.pytest_fixture_setup(fixturedef, request))
