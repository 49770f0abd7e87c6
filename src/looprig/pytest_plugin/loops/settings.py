"""A suite's declarations about its loops: fixtures that override looprig's own, and `loop_config`.

Opens no loops (`run` does) and does not look for contradictions (`looprig.plan.check` does).

Invariant: the declarations of a module or class are looked up once, however many tests it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

import pytest

from looprig.location import UNKNOWN, Location, location_of
from looprig.plan.model import Declaration
from looprig.pytest_plugin._compat import Definition, is_installed, visible_definitions
from looprig.pytest_plugin._compat.closures import closure_of, definitions_in_item, insert_fixture_name
from looprig.pytest_plugin._compat.parameters import (
    gives_parameter,
    parameter_index,
    parameter_values,
    parametrized_indices,
)
from looprig.pytest_plugin._compat.scopes import parametrized_scope, scope_of, scope_place
from looprig.pytest_plugin.is_async import (
    LOOP_NAMES,
    is_async_definition,
    is_async_test,
    is_builtin,
    is_own_loop,
    may_be_async,
)
from looprig.pytest_plugin.peers import is_from_peer
from looprig.scopes import Scope

if TYPE_CHECKING:
    from looprig.declare.loop_config import LoopConfig
    from looprig.plan import Place
    from looprig.pytest_plugin.collection.hooks import Collection
    from looprig.pytest_plugin.peers.peer import Peer

__all__ = ["SETTINGS", "Bound", "Declared", "Flavour", "LoopSettings"]

SETTINGS: Final[dict[str, str]] = {
    "loop": "loop",
    "event_loop": "loop",
    "loop_factory": "loop factory",
    "event_loop_policy": "loop factory",
    "thread_pool_executor": "executor",
    "thread_pool_size": "executor size",
}
"""The fixtures that determine something about a loop, with the setting that each determines."""

Flavour = tuple[tuple[str, int], ...]
"""The indices of the parameters that a test was made for, by the names of the fixtures that determine its loop."""


class Bound(NamedTuple):
    """A declaration that the loop of a test has at least this scope."""

    name: str
    scope: Scope
    location: Location


class Declared(NamedTuple):
    """The declarations about the loop of one test. `loops` are the fixtures that return the loop itself."""

    declarations: tuple[Declaration, ...] = ()
    bounds: Sequence[Bound] = ()
    loops: Sequence[Definition] = ()
    flavour: Flavour = ()


_NOTHING: Final = Declared()


@final
class LoopSettings:
    """The declarations of a suite, looked up by test."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.configs: Final = collection.configs.of
        self.owners: Final = collection.owners
        self._adoption = collection.owners.adoption
        self._fixtures: dict[object, tuple[Definition, ...]] = {}
        self._silent: dict[object, bool] = {}
        self._bounds: dict[pytest.Function, Sequence[Bound]] = {}
        self._factories: dict[object, Any] = {}
        self._said_by_peers: dict[pytest.Function, bool] = {}
        self._providers: dict[Definition, bool] = {}

    # Looking up

    def is_provider(self, definition: Definition) -> bool:
        """Return whether a fixture that is named like a setting provides that setting.

        It doesn't if it wraps looprig's own fixture, is async, or returns something else.
        """
        known = self._providers.get(definition)
        if known is None:
            wraps = definition.argname in LOOP_NAMES and not LOOP_NAMES.isdisjoint(definition.argnames)
            is_other = is_builtin(definition) or is_from_peer(definition) or gives_parameter(definition)
            known = not (wraps or is_other or is_async_definition(definition)) and _may_mean(definition)
            self._providers[definition] = known
        return known

    def _nearest(self, item: pytest.Function) -> tuple[Definition, ...]:
        nearest = (visible_definitions(name, item)[-1:] for name in SETTINGS)
        return tuple(d for definitions in nearest for d in definitions if self.is_provider(d))

    def _holds(self, definition: Definition, item: pytest.Function) -> bool:
        """Return whether a fixture applies to a test. If its name is a common one, the test has to request it."""
        is_unused = definition.params is not None and definition.argname not in parameter_values(item)
        if is_unused and any(self.owners.adopted_from(item)):
            return False  # parametrize such a test only as the other plugin does
        if definition.argname in LOOP_NAMES and is_installed(definition):
            return definition.argname in item.fixturenames
        if definition.argname == "thread_pool_size":
            is_plain = definition.params is None and scope_of(definition) is not Scope.FUNCTION
            return is_plain or self._collection.dialect.is_spoken(item) or any(self.owners.adopted_from(item))
        return True

    def is_silent(self, item: pytest.Function) -> bool:
        """Return whether there are no declarations about the loop of an item, which is the usual case."""
        known = self._silent.get(item.parent)
        if known is None:
            known = self._silent[item.parent] = not (self._nearest(item) or self.configs(item))
        return known and not hasattr(item, "callspec") and not (self._adoption and self._is_said_by_peers(item))

    def _is_said_by_peers(self, item: pytest.Function) -> bool:
        """Return whether a suite declares something about the loop of an item by means of an adopted plugin."""
        known = self._said_by_peers.get(item)
        if known is None:
            is_said = any(self._of_peers(item)) or any(bound.scope for bound in self._bounds_of_peers(item))
            known = self._said_by_peers[item] = is_said or self.is_debugged(item)
        return known

    def fixtures(self, item: pytest.Function) -> tuple[Definition, ...]:
        """Return the fixtures in `SETTINGS` that determine an item's loop: the suite's own, and parametrized ones."""
        found = self._fixtures.get(item.parent)
        if found is None:
            found = self._fixtures[item.parent] = self._nearest(item)
        found = tuple(definition for definition in found if self._holds(definition, item))
        if not SETTINGS.keys().isdisjoint(values := parameter_values(item)):
            names = [name for name in SETTINGS if name in values]
            nearest = (definitions_in_item(item, name)[-1:] for name in names)
            made_for = [d for definitions in nearest for d in definitions if self._settles(d, values[d.argname], item)]
            found = (*(d for d in found if d.argname not in names), *made_for)
        return (*found, *(definition for definition, _ in self._of_peers(item)))

    def _of_peers(self, item: pytest.Function) -> Iterator[tuple[Definition, Peer]]:
        """Yield the fixtures of adopted plugins that determine the kind of loop that a test is on."""
        for peer in self.owners.adopted_from(item):
            for name in peer.factory_fixtures:
                if name in item.fixturenames or name in parameter_values(item):
                    yield from ((definition, peer) for definition in definitions_in_item(item, name)[-1:])

    def meant(self, definition: Definition, value: object, item: pytest.Function) -> tuple[str, Any] | None:
        """Return the setting that one of the `fixtures` determines, and its value, which is `None` for the default.

        Return `None` if the fixture has the name of a setting but means something else.
        """
        name = definition.argname
        if name in SETTINGS:
            return (name, value) if _is_meant(name, value) else None
        factories = (peer.loop_factory(value) for found, peer in self._of_peers(item) if found is definition)
        return "loop_factory", next(factories, None)

    def _settles(self, definition: Definition, value: object, item: pytest.Function) -> bool:
        """Return whether a parametrized fixture determines the loop of the test that was made for `value`."""
        if gives_parameter(definition):
            return _is_meant(definition.argname, value) and self._holds(definition, item)
        return is_builtin(definition) or (self.is_provider(definition) and self._holds(definition, item))

    def flavour(self, item: pytest.Function) -> Flavour:
        """Return the loop factory and executor that an item was made for. Each such flavour has its own loops."""
        if not hasattr(item, "callspec"):
            return ()
        names = [definition.argname for definition in self.fixtures(item) if definition.argname in SETTINGS]
        return (*parametrized_indices(item, names), *self._flavour_of_peers(item))

    def _flavour_of_peers(self, item: pytest.Function) -> Iterator[tuple[str, int]]:
        for definition, factory in self._factories_of_peers(item):
            yield definition.argname, id(factory)

    def _factories_of_peers(self, item: pytest.Function) -> Iterator[tuple[Definition, Any]]:
        """Yield the loop factories that a test is parametrized with by means of adopted plugins."""
        for definition, peer in self._of_peers(item):
            factory = peer.loop_factory(parameter_values(item).get(definition.argname))
            if factory is not None:  # compare code objects, since a hook may create a new function for each test
                yield definition, self._factories.setdefault(getattr(factory, "__code__", factory), factory)

    def is_debugged(self, item: pytest.Function) -> bool:
        """Return whether the options of an adopted plugin turn asyncio's debug mode on."""
        return any(peer.loop_debug(item.config) for peer in self.owners.adopted_from(item))

    def by_default(self, item: pytest.Function) -> tuple[Any, Any]:
        """Return the factories of loops and of executors that an adopted plugin uses by default."""
        for peer in self.owners.adopted_from(item):
            factory, executor = peer.loop_factory_by_default(), peer.executor_by_default(item.config)
            if factory is not None or executor is not None:
                return factory, executor
        return None, None

    # For the plan

    def of(self, item: pytest.Function, place: Callable[[Any], Place]) -> Declared:
        """Return all declarations about the loop of an item."""
        if self.is_silent(item):
            return _NOTHING
        fixtures, configs = self.fixtures(item), self.configs(item)
        return Declared(
            declarations=(*self._by_fixtures(item, fixtures, place), *_by_configs(configs)),
            bounds=[*(Bound("loop_config", c.scope, c.location) for c in configs), *self._bounds_of_peers(item)],
            loops=[definition for definition in fixtures if SETTINGS.get(definition.argname) == "loop"],
            flavour=self.flavour(item),
        )

    def _bounds_of_peers(self, item: pytest.Function) -> Sequence[Bound]:
        known = self._bounds.get(item)
        if known is None:
            # The bound has no location, so that all tests of a node have the same one: under the other plugin they
            # share a loop.
            known = self._bounds[item] = [
                Bound(f"{peer.name}'s loop scope", Scope.parse(scope, of=peer.name, at=UNKNOWN), UNKNOWN)
                for peer in self.owners.adopted_from(item)
                for scope in dict.fromkeys(peer.loop_scopes(item))
            ]
        return known

    def _by_fixtures(
        self, item: pytest.Function, fixtures: Sequence[Definition], place: Callable[[Any], Place]
    ) -> Iterator[Declaration]:
        for definition in fixtures:
            if definition.argname not in SETTINGS:
                continue
            node = scope_place(item, parametrized_scope(item, definition), definition)
            name, location = definition.argname, location_of(definition.func)
            if is_builtin(definition) and (named := self._named_factories(item)) is not None:
                # looprig's own fixture, parametrized by a `loop_config`
                name = f"loop_config, {list(named.factories)[parameter_index(item, name)]}"
                location = named.location
            yield Declaration(SETTINGS[definition.argname], name, place(node), location)
        for definition, factory in self._factories_of_peers(item):
            yield Declaration("loop factory", definition.argname, None, location_of(definition.func), factory)

    def insert_names(self, item: pytest.Function) -> None:
        """Make the item set up the fixtures that determine its loop before other fixtures of the same scope."""
        for definition in reversed(self.fixtures(item)):
            insert_fixture_name(item, definition.argname, definition)

    def is_own_loop(self, definition: Definition) -> bool:
        """Return whether a fixture returns looprig's loop: one of looprig's own, or one of an adopted plugin."""
        return is_own_loop(definition) or (self._adoption is not None and self._adoption.gives_loop(definition))

    # Parametrization

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test that needs a loop once with each of the factories and executors that the suite declares.

        A parametrized fixture parametrizes only tests that request it. A test doesn't request the settings of its loop,
        so the parametrized ones are added to its fixtures here.
        """
        definition = metafunc.definition
        if self.is_silent(definition):
            return
        present = metafunc.fixturenames
        wanted = [d for d in self.fixtures(definition) if d.params is not None and d.argname not in present]
        named = self._named_factories(definition)
        if not (wanted or named) or not self._is_on_a_loop(definition):
            return
        # pytest itself parametrizes only the names that were in the closure before this hook.
        for found in wanted:
            metafunc.fixturenames.append(found.argname)
            metafunc.parametrize(found.argname, found.params or (), indirect=True, scope=found.scope, ids=found.ids)
        if named is not None and all(SETTINGS.get(d.argname) != "loop factory" for d in self.fixtures(definition)):
            scopes = [scope_of(d) for d in _on_a_loop(definition)]
            scope: Any = str(max([named.scope, *scopes], default=Scope.FUNCTION))
            if "loop_factory" not in present:
                metafunc.fixturenames.append("loop_factory")
            factories = named.factories
            metafunc.parametrize(
                "loop_factory", list(factories.values()), ids=list(factories), indirect=True, scope=scope
            )

    def _named_factories(self, item: pytest.Function) -> LoopConfig | None:
        """Return the declaration whose `factories` a test runs with: the nearest that mentions factories."""
        said = [config for config in self.configs(item) if config.factories or config.factory is not None]
        return said[-1] if said and said[-1].factories else None

    def _is_on_a_loop(self, definition: pytest.Function) -> bool:
        if self.owners.owner_of_test(definition) is not None:
            return False
        return is_async_test(definition) or any(_on_a_loop(definition))


def _may_mean(definition: Definition) -> bool:
    from looprig.pytest_plugin.loops.meaning import may_mean  # noqa: PLC0415 - few suites have such fixtures

    return may_mean(definition)


def _is_meant(name: str, value: object) -> bool:
    from looprig.pytest_plugin.loops.meaning import is_meant  # noqa: PLC0415 - as above

    return is_meant(name, value)


def _by_configs(configs: Sequence[LoopConfig]) -> Iterator[Declaration]:
    nearest: dict[str, LoopConfig] = {}
    for config in configs:
        if config.factory is not None:
            nearest["loop factory"] = config
        if config.executor is not None:
            nearest["executor"] = config
    for about, config in nearest.items():
        value = config.factory if about == "loop factory" else config.executor
        yield Declaration(about, "loop_config", None, config.location, value)


def _on_a_loop(item: pytest.Function) -> Iterator[Definition]:
    """Yield the fixtures of an item that are async, or that request looprig's loop directly."""
    for definition, requested in closure_of(item).dependencies():
        if may_be_async(definition) or any(is_own_loop(other) for other in requested):
            yield definition
