"""The services that are visible in modules, classes and tests, and the parameters that request them.

Does not create fixtures (`registry` does).

Invariants:
1. A parameter gets the fixture of its name, if there is one. (`checks.services` compares it with the annotation.)
2. Otherwise it gets the service in its annotation. Its name does not become a fixture of the suite: it may mean another
   service in the next test.
3. No errors are raised. Each is kept in `broken`, with the place of its declaration.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.declare.annotations import parameters_of
from looprig.exceptions import DeclarationError, LooprigError
from looprig.pytest_plugin._compat import Definition, fixture_functions, fixture_names, visible_definitions
from looprig.pytest_plugin.collection.annotations import Target, asks_nothing, target_of
from looprig.pytest_plugin.collection.proxies import VisibleProxies
from looprig.pytest_plugin.collection.registry import Registry, plain
from looprig.pytest_plugin.options import PREFIX

if TYPE_CHECKING:
    from looprig.aiomisc.dialect import Dialect
    from looprig.declare.service import ServiceSpec

__all__ = ["BrokenDeclaration", "Parameters"]

_ENTRYPOINT: Final = f"{PREFIX}entrypoint"


@final
@dataclass(frozen=True, slots=True)
class BrokenDeclaration:
    """An error in a declaration. It concerns tests below `node` that use the fixture `name`.

    If `asker` is given, it concerns only that function. If `everywhere` is true, it concerns all tests below the node.
    If `has_fixture` is true, the name has a fixture nevertheless.
    """

    error: LooprigError
    name: str
    node: Any
    asker: Any = None
    everywhere: bool = False
    has_fixture: bool = False

    def explains(self, name: str, function: Any, item: pytest.Item) -> bool:
        """Return whether it keeps a function that an item uses from getting a fixture called `name`."""
        is_here = self.name == name and not self.has_fixture and self.node in item.listchain()
        return is_here and (self.asker is None or plain(self.asker) is plain(function))


@final
class Parameters:
    """The parameters of one collection that get services."""

    def __init__(self, registry: Registry, dialect: Dialect, *, starts_services: bool) -> None:
        self._registry = registry
        self._dialect = dialect
        self._starts_services = starts_services
        self._seen: set[tuple[Any, Any]] = set()
        self._ambiguous: set[str] = set()
        self.broken: Final[list[BrokenDeclaration]] = []

    # Seeing

    def add_module(self, module: ModuleType, node: Any) -> None:
        """Register fixtures for the service classes in a module or conftest, visible below `node`."""
        if (module, node) in self._seen or module.__name__.startswith("looprig."):
            return
        self._seen.add((module, node))
        names: dict[str, ServiceSpec] = {}
        self._registry.fixtures.note_fixtures(fixture_names(module), node)
        for spec in self._registry.fixtures.services_in(module):
            self._registry.annotations.names.add(spec, node)
            other = names.setdefault(spec.name, spec)
            if other is spec:
                self._add_service(spec, module, node)
            else:
                error = _same_name(module, other, spec)
                self.broken.append(BrokenDeclaration(error, spec.name, node, has_fixture=True))
        self._add_fixtures(module, node)

    def add_class(self, cls: type, node: Any) -> None:
        """Record the fixtures of a test class, including inherited ones."""
        for base in cls.__mro__[:-1]:
            self._registry.fixtures.note_fixtures(fixture_names(base), node)
            self._add_fixtures(base, node)

    def _add_service(self, spec: ServiceSpec, module: ModuleType, node: Any) -> None:
        visible = visible_definitions(spec.name, node)
        nearest = next((t for d in reversed(visible) if (t := self._explicit(d)) is not None), None)
        if nearest is not None and nearest.spec.key == spec.key:
            return  # found further up already, and a fixture in between may override it
        own = set(fixture_functions(module))
        overriding = [definition for definition in visible if definition.func in own]
        try:
            self._registry.fixtures.add_alias(spec.name, Target(spec), node, autouse=spec.autouse)
        except LooprigError as error:
            self.broken.append(BrokenDeclaration(error, spec.name, node, everywhere=spec.autouse))
        else:
            self._registry.fixtures.put_above(overriding, node)

    def _explicit(self, definition: Definition) -> Target | None:
        return None if definition in self._registry.implied else self._registry.target(definition)

    def _add_fixtures(self, holder: Any, node: Any) -> None:
        for function in fixture_functions(holder):
            self._answer(function, node)
        # As with aiomisc, a suite that overrides `services` wants them started without asking in each test.
        if self._starts_services and self._dialect.begins(holder, node, fixture_names(holder)):
            pytest.register_fixture(name=_ENTRYPOINT, func=_use_entrypoint, node=node, autouse=True)

    # Answering

    def may_answer(self, function: object) -> bool:
        """Return whether there may be parameters to resolve by annotation."""
        return bool(self._ambiguous) or not asks_nothing(function)

    def answer_test(self, function: Any, node: Any) -> None:
        """Register fixtures for the annotated parameters of a test that have none of their name."""
        self._answer(function, node)
        if self._ambiguous:
            self._settle(function, node)

    def _answer(self, function: Any, node: Any) -> None:
        for name, annotation in self._registry.annotations.of(function):
            visible = visible_definitions(name, node)
            if visible and visible[-1] not in self._registry.implied:
                continue
            try:
                target = target_of(annotation, VisibleProxies(self._registry, function, node))
            except LooprigError as error:
                self.broken.append(BrokenDeclaration(error, name, node, function))
                continue
            if target is not None:
                self._registry.asked.setdefault(plain(function), {})[name] = target
                self._mean(name, target, node, function)

    def _mean(self, name: str, target: Target, node: Any, asker: Any) -> None:
        """Make `name` a fixture for `target`, as `asker` annotates it, in what is collected next below `node`."""
        visible = visible_definitions(name, node)
        if visible:
            known = self._registry.target(visible[-1])
            if known is not None and known.key == target.key:
                return
            self._ambiguous.add(name)
        try:
            self._registry.fixtures.add_alias(name, target, node)
        except LooprigError as error:
            self._registry.asked[plain(asker)].pop(name, None)  # reported by that error
            self.broken.append(BrokenDeclaration(error, name, node, asker))
        else:
            self._registry.implied.add(visible_definitions(name, node)[-1])

    def _settle(self, function: Any, node: Any) -> None:
        """Find out what ambiguous names mean in this test, from the fixtures that it uses."""
        try:
            names = [*parameters_of(function)]
        except (TypeError, ValueError):
            return
        own = self._registry.asked_by(function)
        marks = [*node.iter_markers("usefixtures"), *getattr(function, "pytestmark", ())]
        names += [name for mark in marks if mark.name == "usefixtures" for name in mark.args]
        seen: set[str] = set()
        while names:
            name = names.pop()
            visible = visible_definitions(name, node) if name not in seen else ()
            seen.add(name)
            if not visible:
                continue
            asker = visible[-1].func
            for asked, target in [*self._registry.asked_by(asker).items()]:
                if asked not in own:
                    self._mean(asked, target, node, asker)
            names += visible[-1].argnames


def _same_name(module: ModuleType, one: ServiceSpec, other: ServiceSpec) -> DeclarationError:
    return DeclarationError(
        f"Two services are called {one.name!r} in {module.__name__}: {one.cls.__module__}.{one.cls.__qualname__} and "
        f"{other.cls.__module__}.{other.cls.__qualname__}.",
        [one.party, other.party],
        'Give one of them another name: @service_fixture(name="...").',
    )


def _use_entrypoint(entrypoint: object) -> None:
    """Start the entrypoint for every test in a module or class that overrides `services` or `default_context`."""
