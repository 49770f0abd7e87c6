"""Tells the planner what pytest collected, and keeps its answer for the run.

Decides nothing about loops itself (`looprig.plan` does) and runs nothing (`running` does).

Invariants:
1. The plan is made from all that was collected, before `-k` and `-m` deselect: selection moves no loop.
2. Tests of one shape share one tuple of reached instances: the plan costs one dictionary entry a test.
3. Whatever instance pytest may hand to a test, in whatever order tests run, is on the test's loop.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, final

import pytest

from looprig.declare.loop_config import LoopConfig
from looprig.exceptions import DeclarationError, LooprigError
from looprig.location import Location, location_of
from looprig.plan import Component, Instance, Place, Plan, Planner
from looprig.plan.check import contradictions
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.checks.errors import ItemErrors
from looprig.pytest_plugin.checks.owners import Mixing
from looprig.pytest_plugin.checks.remedies import Remedies
from looprig.pytest_plugin.checks.testcases import loops_of_test_case
from looprig.pytest_plugin.checks.unawaited import refusals
from looprig.pytest_plugin.collection.annotations import asks_nothing
from looprig.pytest_plugin.collection.hooks import Collecting
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.loops.is_async import (
    ENTRYPOINT,
    LOOP_NAMES,
    inner_test,
    is_async_test,
    is_builtin,
    is_hidden_async_test,
    is_own_loop,
    may_be_async,
    may_need_loop,
)
from looprig.pytest_plugin.loops.meaning import SETTINGS
from looprig.pytest_plugin.loops.settings import Flavour, Settings
from looprig.pytest_plugin.peers.peer import Peer
from looprig.scopes import Scope

__all__ = ["Planning"]

_Shape = tuple[Definition, ...]
NO_INSTANCE: Final = -1


@final
class Planning:
    """The plan of a run, and the questions the run asks of it."""

    def __init__(self, session: pytest.Session, items: Sequence[pytest.Item], collecting: Collecting) -> None:
        self.session: pytest.Session = session
        self._owners = collecting.owners
        self._registry = collecting.registry
        self._settings = collecting.settings
        self.errors: ItemErrors = ItemErrors()
        self._planner = Planner()
        self._places: dict[object, Place] = {}
        self._numbers: dict[tuple[Any, Any, Flavour], int] = {}
        self._definitions: dict[int, Definition | None] = {}
        self._shapes: dict[object, _Shape] = {}
        self._narrowed: set[object] = set()
        self._on_loop: set[Definition] = set()
        self._needing: set[Definition] = set()
        self._shared: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._around: dict[object, list[DeclarationError]] = {}
        self._wrong: dict[object, list[LooprigError]] = {}
        self._mixing = Mixing(collecting.owners, Remedies(session.config, collecting.registry))
        self._reached: dict[tuple[object, Flavour], tuple[int, ...]] = {}
        self._narrow: list[tuple[pytest.Function, Definition, Flavour]] = []
        self.own: list[pytest.Function] = []
        self.has_async: bool = False
        functions = [item for item in items if _compat.has_fixtures(item)]
        if all(self._owners.leaves(item) for item in functions):
            functions = []
        self._owners.settle(functions, _compat.all_definitions(session))
        # By test: another plugin that runs it, and whether it is async, which may decide who runs its fixtures.
        self._owner = (
            {item: (self._owners.owner_of_test(item), is_async_test(item)) for item in functions}
            if self._owners
            else dict[pytest.Function, tuple[Peer | None, bool]]()
        )
        # A suite without any pays for one look at its definitions, and for one at each test.
        if any(may_need_loop(d) and not is_builtin(d) for d in _compat.all_definitions(session)) or any(
            ENTRYPOINT in item.fixturenames for item in functions
        ):
            for item in functions:
                self._see(item)
        self.has_async = any(self._needs_loop(item) for item in functions if not self._is_of_another(item))
        for item in functions:
            self._add(item)
        self._join_nested()
        self.plan: Plan = self._planner.solve()
        for user, error in self._mixing.shared():
            self.errors.add(user, [error])
        for component, contradiction in contradictions(self.plan, self._party):
            for test in component.tests:
                assert isinstance(test, pytest.Item)
                assert _compat.has_fixtures(test)
                self.errors.add(test, [contradiction])
        # Only needed while planning; 20,000 tests would keep them alive for nothing.
        for kept in (
            self._owner,
            self._shapes,
            self._reached,
            self._narrowed,
            self._shared,
            self._needing,
            self._around,
            self._wrong,
            self._narrow,
        ):
            kept.clear()

    @property
    def settings(self) -> Settings:
        """What fixtures and `loop_config` declare about loops."""
        return self._settings

    @staticmethod
    def _party(test: object) -> tuple[str, Location]:
        assert isinstance(test, pytest.Item)
        return test.name, _compat.place_of_item(test)

    # Facts for the planner

    def _see(self, item: pytest.Function) -> None:
        """First pass: which definitions stand on a loop. A sync one does if it asks for an async one in any test.

        pytest hands one instance of it to all tests, whatever each of them sees behind its name.
        """
        _compat.complete(item)
        key = self._closure(item)
        if key in self._shapes:
            return
        shape = tuple(_compat.closure_of(item).dependencies())
        self._shapes[key] = tuple(definition for definition, _ in shape)
        for definition, asked in shape:
            if (
                may_be_async(definition)
                or not self._needing.isdisjoint(asked)
                or any(is_own_loop(other) for other in asked)
            ):
                self._needing.add(definition)
            if definition in self._needing or any(other in self._on_loop or self._is_loop(other) for other in asked):
                self._on_loop.add(definition)
        self._mixing.check_fixtures(key, item, shape)

    def _closure(self, item: pytest.Function) -> object:
        """Return what is equal for items that use the same definitions, run by the same plugin."""
        return _compat.closure_key(item), self._owner.get(item)

    def _add(self, item: pytest.Function) -> None:
        shape = self._shape(item)
        is_async = is_async_test(item)
        if self._owners.leaves(item):
            self._mixing.check_test(self._closure(item), item, is_async=is_async)
            return
        self.errors.add(item, self._refusals(item, is_async=is_async))
        if not (is_async or shape or self._asks_for_loop(item) or is_hidden_async_test(item)):
            return
        self.errors.add(item, loops_of_test_case(item, shape, self._owners))
        if self._owners:
            self.errors.add(item, self._mixing.check_test(self._closure(item), item, is_async=is_async))
            if self._is_of_another(item):
                return
        if not self.has_async:
            return
        declarations = self._settings.declarations(item, self.place)
        if declarations:
            self._settings.insert_names(item)
        reached = self._reach(item, shape)
        if reached:
            self._planner.add_test(item, self._shared.setdefault(reached, reached))
            self._planner.declare(item, declarations)
        else:
            self.own.append(item)

    def _is_of_another(self, item: pytest.Function) -> bool:
        return bool(self._owners) and self._owner[item][0] is not None

    def _refusals(self, item: pytest.Function, *, is_async: bool) -> Iterable[DeclarationError]:
        """Return what cannot work about a test, and about what stands around it, which is looked at once."""
        around = self._around.get(item.parent)
        if around is None:
            around = self._around[item.parent] = list(refusals(item, {inner_test(item.obj)}))
        return around if is_async and not _compat.is_unittest(item) else (*around, *refusals(item, {item.parent}))

    def _shape(self, item: pytest.Function) -> _Shape:
        """The definitions that stand on a loop in the closure of an item, the function-scoped ones too."""
        key = self._closure(item)
        if key not in self._narrowed:
            self._narrowed.add(key)
            self._shapes[key] = tuple(d for d in self._shapes.get(key, ()) if d in self._on_loop)
            self._wrong[key] = list(self._registry.errors_of_fixtures(self._shapes[key], item))
        self.errors.add(item, self._wrong[key])
        if item.obj is not None and (self._registry.asked or not asks_nothing(item.obj)):
            self.errors.add(item, self._registry.errors_of_test(item))
        return self._shapes[key]

    def _asks_for_loop(self, item: pytest.Function) -> bool:
        return any(self._is_loop(definition) for definition in self._named_like_loops(item))

    def _needs_loop(self, item: pytest.Function) -> bool:
        """Whether a test needs a loop of looprig's: a suite's own `loop` serves sync tests by itself."""
        if is_async_test(item) or is_hidden_async_test(item):
            return True
        if any(is_own_loop(definition) for definition in self._named_like_loops(item)):
            return True
        return bool(self._needing) and not self._needing.isdisjoint(self._shapes.get(self._closure(item), ()))

    def _is_loop(self, definition: Definition) -> bool:
        """Whether a fixture gives a loop: looprig's own, or one of the suite's by which looprig goes."""
        return definition.argname in LOOP_NAMES and (is_own_loop(definition) or self._settings.is_provider(definition))

    @staticmethod
    def _named_like_loops(item: pytest.Function) -> Iterator[Definition]:
        """Yield what answers `loop` and `event_loop` in an item that uses these names."""
        names = _compat.closure_of(item).names
        for name in LOOP_NAMES:
            if name in names:
                yield from _compat.definitions_in_item(item, name)[-1:]

    def _reach(self, item: pytest.Function, shape: _Shape) -> tuple[int, ...]:
        if not shape and self._settings.is_silent(item):
            return ()
        configs = self._settings.configs(item)
        flavour = self._settings.flavour(item)
        providers = tuple(d for d in self._settings.fixtures(item) if SETTINGS[d.argname] == "loop")
        if not (configs or providers or any(_compat.is_parametrized(item, definition) for definition in shape)):
            key = (self._closure(item), flavour)
            reached = self._reached.get(key)
            if reached is None:
                reached = self._reached[key] = self._instances(item, shape, flavour)
            return reached
        declared = (number for config in configs if (number := self._declared_scope(item, config, flavour)) >= 0)
        return (*self._instances(item, (*shape, *providers), flavour), *declared)

    def _instances(self, item: pytest.Function, shape: _Shape, flavour: Flavour) -> tuple[int, ...]:
        for definition in shape:
            if _compat.scope_of(definition) is not Scope.FUNCTION and (
                _compat.parametrized_scope(item, definition) is Scope.FUNCTION
            ):
                self._narrow.append((item, definition, flavour))
        return tuple(
            self._number(definition, scope, node, flavour)
            for definition in shape
            # A parametrization may give an instance another scope than its definition has.
            if (scope := _compat.parametrized_scope(item, definition)) is not Scope.FUNCTION
            and (node := _compat.scope_place(item, scope, definition)) is not item
        )

    def _number(self, definition: Definition, scope: Scope, node: Any, flavour: Flavour) -> int:
        key = (definition, node, flavour)
        number = self._numbers.get(key)
        if number is None:
            place = location_of(definition.func)
            name = self._registry.label(definition)
            is_alias = self._registry.target(definition) is not None
            number = self._planner.add_instance(Instance(name, scope, self.place(node), place, is_alias))
            self._numbers[key] = number
            self._definitions[number] = definition
        return number

    def _join_nested(self) -> None:
        """Joins instances of one definition at nested places.

        pytest keeps one instance of a definition: the tests of a nested class are given that of the class around
        it while it is alive, and one of their own otherwise. The plan must not depend on which of them runs first.
        """
        by_definition: dict[tuple[Any, Flavour], dict[Any, int]] = {}
        for (definition, node, flavour), number in self._numbers.items():
            by_definition.setdefault((definition, flavour), {})[node] = number
        for numbers in by_definition.values():
            if len(numbers) == 1:
                continue
            for node, number in numbers.items():
                for around in node.listchain()[-2::-1]:
                    if around in numbers:
                        self._planner.join(number, numbers[around])
        self._join_narrow()

    def _join_narrow(self) -> None:
        """Joins tests that a parametrization gives an instance of their own with wider ones: pytest may give those."""
        joined: set[pytest.Function] = set()
        for item, definition, flavour in self._narrow:
            around = [self._numbers.get((definition, node, flavour)) for node in item.listchain()[-2::-1]]
            if numbers := tuple(number for number in around if number is not None):
                self._planner.add_test(item, (*self._planner.reached(item), *numbers))
                self._planner.declare(item, self._settings.declarations(item, self.place))
                joined.add(item)
        self.own = [item for item in self.own if item not in joined]

    def _declared_scope(self, item: pytest.Function, config: LoopConfig, flavour: Flavour) -> int:
        if config.scope is Scope.FUNCTION:
            return NO_INSTANCE
        node = _compat.scope_place(item, config.scope, None)
        if node is item:
            return NO_INSTANCE
        key = (config.location, node, flavour)
        number = self._numbers.get(key)
        if number is None:
            place = self.place(node)
            number = self._planner.add_instance(Instance("loop_config", config.scope, place, config.location))
            self._numbers[key] = number
            self._definitions[number] = None
        return number

    def place(self, node: Any) -> Place:
        """The place of a collection node."""
        place = self._places.get(node)
        if place is None:
            depth = len(node.listchain()) - 1
            label = node.nodeid or "the session"
            place = self._places[node] = Place(node, depth, label if label != "." else "the session", _kind(node))
        return place

    # Questions of the run

    @property
    def registry(self) -> Registry:
        """The services of the run."""
        return self._registry

    def way(self, test: object, number: int) -> list[str]:
        """What leads from a test to an instance: the names of the fixtures between them, for `--explain-loops`."""
        assert isinstance(test, pytest.Item)
        assert _compat.has_fixtures(test)
        wanted = self._definitions[number]
        closure = _compat.closure_of(test)
        asked_by: dict[Any, list[Any]] = {}
        for definition, asked in closure.dependencies():
            for other in asked:
                asked_by.setdefault(other, []).append(definition)
        ways: list[list[Any]] = [[wanted]]
        seen = {wanted}
        while ways:
            way = ways.pop(0)
            if way[0] is None or way[0].argname in closure.initial or way[0] not in asked_by:
                return [self._registry.label(definition) for definition in way[:-1]]
            for user in asked_by[way[0]]:
                if user not in seen:
                    seen.add(user)
                    ways.append([user, *way])
        return []

    def loops_of(self, definition: Definition) -> set[str]:
        """The loops that instances of a definition stand on, in words; none for what needs no loop."""
        components = (
            self.plan.component_of_instance[number]
            for (each, _, _), number in self._numbers.items()
            if each is definition
        )
        found = {f"the {component.scope} loop on {component.place.label}" for component in components}
        return found or ({"the loop of the test"} if definition in self._on_loop else set())

    def component(self, item: pytest.Item) -> Component | None:
        """The component of an item; `None` where its loop, if it needs one, is its own."""
        return self.plan.component(item)

    def component_of_instance(self, definition: Definition, node: object, item: pytest.Function) -> Component | None:
        """The component that an instance was planned on; `None` where no test reaches it by declaration."""
        number = self._numbers.get((definition, node, self._settings.flavour(item)))
        return None if number is None else self.plan.component_of_instance[number]


def _kind(node: object) -> Scope:
    if isinstance(node, pytest.Session):
        return Scope.SESSION
    if isinstance(node, pytest.Directory):
        return Scope.PACKAGE
    if isinstance(node, pytest.Module):
        return Scope.MODULE
    return Scope.CLASS if isinstance(node, pytest.Class) else Scope.FUNCTION
