"""What a suite says about its loops: fixtures that override looprig's own, and `loop_config` declarations.

Does not open loops (`running` does) and does not judge contradictions (`looprig.plan.check` does).

Invariant: what holds for a module or class is looked up once, however many tests it has.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, final

import pytest

from looprig.declare.loop_config import LoopConfig, configs_in
from looprig.location import location_of
from looprig.plan import Place
from looprig.plan.model import Declaration
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.collection.dialect import Dialect
from looprig.pytest_plugin.loops.is_async import LOOP_NAMES, is_async_definition, is_async_test, is_builtin, on_a_loop
from looprig.pytest_plugin.loops.meaning import SETTINGS, is_meant, may_mean
from looprig.pytest_plugin.peers import is_from_peer
from looprig.pytest_plugin.peers.active import Peers
from looprig.scopes import Scope

__all__ = ["Flavour", "Settings"]

Flavour = tuple[tuple[str, int], ...]
"""Which parameters of the loop's settings a test was made for."""


def _is_ours_or_peers(definition: Definition) -> bool:
    return (getattr(definition.func, "__module__", None) or "").startswith("looprig.") or is_from_peer(definition)


@final
class Settings:
    """The declarations of a suite, looked up by test."""

    def __init__(self, session: pytest.Session, owners: Peers, dialect: Dialect) -> None:
        self._session = session
        self._dialect = dialect
        self.owners: Peers = owners
        self._fixtures: dict[object, tuple[Definition, ...]] = {}
        self._configs: dict[object, tuple[LoopConfig, ...]] = {}
        self._silent: dict[object, bool] = {}
        self._providers: dict[Definition, bool] = {}

    # Looking up

    def is_provider(self, definition: Definition) -> bool:
        """Whether a fixture settles its subject.

        Those do not that wrap ours, that are async, or that give something else.
        """
        known = self._providers.get(definition)
        if known is None:
            wraps = definition.argname in LOOP_NAMES and not LOOP_NAMES.isdisjoint(definition.argnames)
            is_other = _is_ours_or_peers(definition) or _compat.gives_parameter(definition)
            known = not (wraps or is_other or is_async_definition(definition)) and may_mean(definition)
            self._providers[definition] = known
        return known

    def _nearest(self, item: pytest.Function) -> tuple[Definition, ...]:
        nearest = (_compat.visible_definitions(name, item)[-1:] for name in SETTINGS)
        return tuple(d for definitions in nearest for d in definitions if self.is_provider(d))

    def _is_said(self, definition: Definition, item: pytest.Function) -> bool:
        """Whether a fixture settles its subject for this test: some might mean anything, and are for who asks."""
        if definition.argname in LOOP_NAMES and _compat.is_installed(definition):
            return definition.argname in item.fixturenames
        if definition.argname == "thread_pool_size":
            is_plain = definition.params is None and _compat.scope_of(definition) is not Scope.FUNCTION
            return is_plain or self._dialect.is_spoken(item.parent)
        return True

    def is_silent(self, item: pytest.Function) -> bool:
        """Whether nothing at all is declared about the loop of an item, which is so for nearly all."""
        known = self._silent.get(item.parent)
        if known is None:
            known = self._silent[item.parent] = not (self._nearest(item) or self.configs(item))
        return known and not hasattr(item, "callspec")

    def fixtures(self, item: pytest.Function) -> tuple[Definition, ...]:
        """The fixtures, among `SETTINGS`, that settle the item's loop: the suite's own, and parametrized ones."""
        found = self._fixtures.get(item.parent)
        if found is None:
            found = self._fixtures[item.parent] = self._nearest(item)
        found = tuple(definition for definition in found if self._is_said(definition, item))
        if not SETTINGS.keys().isdisjoint(values := _compat.parameter_values(item)):
            names = [name for name in SETTINGS if name in values]
            nearest = (_compat.definitions_in_item(item, name)[-1:] for name in names)
            made_for = [d for definitions in nearest for d in definitions if self._settles(d, values[d.argname], item)]
            found = (*(d for d in found if d.argname not in names), *made_for)
        return found

    def _settles(self, definition: Definition, value: object, item: pytest.Function) -> bool:
        """Whether a parametrized definition settles its subject for the test that was made for `value`."""
        if _compat.gives_parameter(definition):
            return is_meant(definition.argname, value) and self._is_said(definition, item)
        return is_builtin(definition) or (self.is_provider(definition) and self._is_said(definition, item))

    def configs(self, item: pytest.Function) -> tuple[LoopConfig, ...]:
        """The `loop_config` declarations that hold for the item, the nearest last."""
        module = item.getparent(pytest.Module)
        found = self._configs.get(module)
        if found is None:
            above: list[tuple[int, tuple[LoopConfig, ...]]] = []
            for plugin in self._session.config.pluginmanager.get_plugins():
                if not isinstance(plugin, ModuleType) or not (file := getattr(plugin, "__file__", None)):
                    continue
                path = Path(file)
                if path.name == "conftest.py" and item.path.is_relative_to(path.parent):
                    above.append((len(path.parts), configs_in(plugin)))
            outer = (config for _, configs in sorted(above, key=lambda entry: entry[0]) for config in configs)
            own = configs_in(module.obj) if module is not None and isinstance(module.obj, ModuleType) else ()
            found = self._configs[module] = (*outer, *own)
        return found

    def flavour(self, item: pytest.Function) -> Flavour:
        """Which of several loop factories and executors an item was parametrized with: each has loops of its own."""
        if SETTINGS.keys().isdisjoint(_compat.parameter_values(item)):
            return ()
        return _compat.parametrized_indices(item, [definition.argname for definition in self.fixtures(item)])

    # For the plan

    def declarations(self, item: pytest.Function, place: Callable[[Any], Place]) -> tuple[Declaration, ...]:
        """All that is declared about the loop of an item."""
        if self.is_silent(item):
            return ()
        return (*self._declared_by_fixture(item, place), *self._declared_by_config(item))

    def _declared_by_fixture(self, item: pytest.Function, place: Callable[[Any], Place]) -> Iterator[Declaration]:
        for definition in self.fixtures(item):
            scope = _compat.parametrized_scope(item, definition)
            node = _compat.scope_place(item, scope, definition)
            name, location = definition.argname, location_of(definition.func)
            if is_builtin(definition) and (named := self._named_factories(item)) is not None:
                # looprig's own fixture, parametrized with what a `loop_config` names.
                name = f"loop_config, {list(named.factories)[_compat.parameter_index(item, name)]}"
                location = named.location
            yield Declaration(SETTINGS[definition.argname], name, place(node), location)

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

    # For parametrization

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Parametrizes a test, if it needs a loop, with the factories and executors that the suite declares.

        A parametrized fixture parametrizes only the tests that use it. A test uses its loop's settings without
        naming them, so those that are parametrized are added to its fixtures here.
        """
        definition = metafunc.definition
        if self.is_silent(definition):
            return
        present = metafunc.fixturenames
        wanted = [d for d in self.fixtures(definition) if d.params is not None and d.argname not in present]
        named = self._named_factories(definition)
        if not (wanted or named) or not self._is_on_a_loop(definition):
            return
        # pytest then parametrizes these by itself: it does so for each name in the closure.
        for found in wanted:
            metafunc.fixturenames.append(found.argname)
            metafunc.parametrize(found.argname, found.params or (), indirect=True, scope=found.scope, ids=found.ids)
        if named is not None and all(SETTINGS[d.argname] != "loop factory" for d in self.fixtures(definition)):
            config = named
            scopes = [_compat.scope_of(d) for d in on_a_loop(definition)]
            scope: Any = str(max([config.scope, *scopes], default=Scope.FUNCTION))
            if "loop_factory" not in present:
                metafunc.fixturenames.append("loop_factory")
            metafunc.parametrize(
                "loop_factory",
                list(config.factories.values()),
                ids=list(config.factories),
                indirect=True,
                scope=scope,
            )

    def _named_factories(self, item: pytest.Function) -> LoopConfig | None:
        """The declaration whose `factories` a test runs with: the nearest that says anything about factories."""
        said = [config for config in self.configs(item) if config.factories or config.factory is not None]
        return said[-1] if said and said[-1].factories else None

    def _is_on_a_loop(self, definition: pytest.Function) -> bool:
        if self.owners.owner_of_test(definition) is not None:
            return False
        return is_async_test(definition) or any(on_a_loop(definition))
