"""What a suite says about its loops: fixtures that override looprig's own, and `loop_config` declarations.

Does not open loops (`running` does) and does not judge contradictions (`looprig.plan.check` does).

Invariant: a suite that overrides nothing and declares nothing costs one look at all fixture names.
"""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final, final

import pytest

from looprig.declare.loop_config import LoopConfig
from looprig.location import location_of
from looprig.plan import Place
from looprig.plan.model import Declaration
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.recognize import LOOP_NAMES, is_async_definition

__all__ = ["FACTORY_NAMES", "SETTINGS", "Settings"]

FACTORY_NAMES: Final = ("loop_factory", "event_loop_policy")
SETTINGS: Final[dict[str, str]] = {
    "loop": "loop",
    "event_loop": "loop",
    "loop_factory": "loop factory",
    "event_loop_policy": "loop factory",
    "thread_pool_executor": "executor",
    "thread_pool_size": "executor size",
}
"""Fixtures that settle something about a loop, with what they settle."""

# Their fixtures of these names are about loops of their own.
_PEERS: Final = ("looprig.", "pytest_asyncio", "aiomisc", "anyio", "aiohttp", "pytest_aiohttp", "alt_pytest_asyncio")


def _is_ours_or_peers(definition: Definition) -> bool:
    return (getattr(definition.func, "__module__", None) or "").startswith(_PEERS)


def is_provider(definition: Definition) -> bool:
    """Whether a fixture settles its subject: not one that wraps ours, and no async one."""
    if is_async_definition(definition) or _is_ours_or_peers(definition):
        return False
    return definition.argname not in LOOP_NAMES or LOOP_NAMES.isdisjoint(definition.argnames)


@final
class Settings:
    """The declarations of a suite, looked up by item."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._names = sorted(
            {d.argname for d in _compat.all_definitions(session) if d.argname in SETTINGS and is_provider(d)}
        )
        self._fixtures: dict[object, tuple[Definition, ...]] = {}
        self._configs: dict[object, tuple[LoopConfig, ...]] = {}
        self._in_modules: dict[object, tuple[LoopConfig, ...]] = {}
        self._conftests: dict[str, tuple[LoopConfig, ...]] = {}
        for plugin in session.config.pluginmanager.get_plugins():
            path = getattr(plugin, "__file__", None) or ""
            if isinstance(plugin, ModuleType) and path.endswith("conftest.py") and (found := configs_in(plugin)):
                self._conftests[path.removesuffix("conftest.py")] = found

    def fixtures(self, item: pytest.Function) -> tuple[Definition, ...]:
        """The suite's own fixtures, among `SETTINGS`, that the item sees."""
        if not self._names:
            return ()
        found = self._fixtures.get(item.parent)
        if found is None:
            nearest = (_compat.visible_definitions(name, item)[-1:] for name in self._names)
            found = tuple(d for definitions in nearest for d in definitions if is_provider(d))
            self._fixtures[item.parent] = found
        return found

    def configs(self, item: pytest.Function) -> tuple[LoopConfig, ...]:
        """The `loop_config` declarations that hold for the item, the nearest last."""
        module = item.getparent(pytest.Module)
        found = self._configs.get(module)
        if found is None:
            path = str(item.path)
            above = (configs for folder, configs in self._conftests.items() if path.startswith(folder))
            outer = sorted((c for configs in above for c in configs), key=lambda c: len(c.location.path))
            own = configs_in(module.obj) if module is not None else ()
            found = self._configs[module] = (*outer, *own)
        return found

    def flavour(self, item: pytest.Function) -> tuple[int, ...]:
        """Which of several loop factories and executors an item was parametrized with: each has loops of its own."""
        return _compat.parametrized_indices(item, tuple(SETTINGS)) if hasattr(item, "callspec") else ()

    def declarations(self, item: pytest.Function, place: Callable[[Any], Place]) -> tuple[Declaration, ...]:
        """All that is declared about the loop of an item."""
        return (*self._declared_by_fixture(item, place), *self._declared_by_config(item))

    def _declared_by_fixture(self, item: pytest.Function, place: Callable[[Any], Place]) -> Iterator[Declaration]:
        for definition in self.fixtures(item):
            scope = _compat.parametrized_scope(item, definition)
            node = _compat.scope_place(item, scope, definition)
            location = location_of(definition.func)
            yield Declaration(SETTINGS[definition.argname], definition.argname, place(node), location)

    def _declared_by_config(self, item: pytest.Function) -> Iterator[Declaration]:
        nearest: dict[str, LoopConfig] = {}
        for config in self.configs(item):
            if config.factory is not None:
                nearest["loop factory"] = config
            if config.executor is not None:
                nearest["executor"] = config
        for about, config in nearest.items():
            value = config.factory if about == "loop factory" else config.executor
            yield Declaration(about, "loop_config", None, config.location, value)

    def insert_names(self, item: pytest.Function) -> None:
        """Has the item set up the fixtures that settle its loop, and those first that decide what is cached."""
        for definition in reversed(self.fixtures(item)):
            _compat.insert_fixture_name(item, definition.argname, definition)


def configs_in(module: ModuleType) -> tuple[LoopConfig, ...]:
    """The declarations written in a module; imported ones belong to where they were written."""
    path = getattr(module, "__file__", None)
    return tuple(
        value for value in vars(module).values() if isinstance(value, LoopConfig) and value.location.path == path
    )
