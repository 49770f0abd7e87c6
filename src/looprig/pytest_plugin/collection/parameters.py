"""Looks at modules, classes and tests as they are collected: which services they see, and what parameters ask for.

Registers nothing itself (`registering` does).

Invariants:
1. A parameter is answered by its name first (`service_errors` then holds what answers it against its annotation).
2. One that no fixture answers by name is answered by its annotation. Such a name is no fixture of the suite's: it
   may mean another service in the next test.
3. Nothing is raised on the way. All that is wrong is kept in `wrong`, with the tests that it concerns.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, final

import pytest

from looprig.declare.annotations import parameters_of
from looprig.declare.service import ServiceSpec
from looprig.exceptions import DeclarationError, LooprigError
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.collection.annotations import Target, asks_nothing, target_of
from looprig.pytest_plugin.collection.dialect import Dialect
from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["Answering"]

_ENTRYPOINT: Final = "_looprig_entrypoint"


@final
@dataclass(frozen=True, slots=True)
class Wrong:
    """An error of a declaration, and whom it concerns: those below `node` who ask for the fixture `name`.

    With `asker`, that function alone; with `everywhere`, all tests below the node.
    """

    error: LooprigError
    name: str
    node: Any
    asker: Any = None
    everywhere: bool = False

    def concerns(self, item: pytest.Function) -> bool:
        """Whether a test cannot run because of it."""
        if self.node not in item.listchain():
            return False
        if self.everywhere:
            return True
        # A fixture of a node below overrides it.
        visible = _compat.visible_definitions(self.name, self.node)
        return any(
            name == self.name
            and (found is None or found in visible)
            and self._is_of(item.obj if user is None else user.func)
            for user, name, found in _compat.closure_of(item).requests()
        )

    def _is_of(self, function: Any) -> bool:
        return self.asker is None or _plain(self.asker) is _plain(function)


@final
class Answering:
    """What was seen in one collection."""

    def __init__(self, registry: Registry, dialect: Dialect) -> None:
        self._registry = registry
        self._seen: set[tuple[Any, Any]] = set()
        # The names that stand for a service because of an annotation, and those of them with several meanings.
        self._implicit = registry.implied
        self._ambiguous: set[str] = set()
        self._dialect = dialect
        self.wakes_entrypoint: bool = True
        self.wrong: list[Wrong] = []
        self.broken: set[str] = set()
        """The names that have no fixture because of one of the errors."""

    # Seeing

    def see(self, module: ModuleType, node: Any) -> None:
        """Makes fixtures of the service classes that a module or conftest has, visible below `node`."""
        if (module, node) in self._seen or module.__name__.startswith("looprig."):
            return
        self._seen.add((module, node))
        names: dict[str, ServiceSpec] = {}
        self._registry.note_fixtures(_compat.fixture_names(module), node)
        for spec in self._registry.services_in(module):
            other = names.setdefault(spec.name, spec)
            if other is spec:
                self._see_service(spec, module, node)
            else:
                self.wrong.append(Wrong(_same_name(module, other, spec), spec.name, node))
        self._see_fixtures(module, node)

    def see_class(self, cls: type, node: Any) -> None:
        """Looks at the fixtures of a test class, inherited ones too."""
        for base in cls.__mro__[:-1]:
            self._registry.note_fixtures(_compat.fixture_names(base), node)
            self._see_fixtures(base, node)

    def _see_service(self, spec: ServiceSpec, module: ModuleType, node: Any) -> None:
        visible = _compat.visible_definitions(spec.name, node)
        nearest = next((t for d in reversed(visible) if (t := self._explicit(d)) is not None), None)
        if nearest is not None and nearest.spec.key == spec.key:
            return  # seen above already, where a fixture in between may override it
        own = set(_compat.fixture_functions(module))
        overriding = [definition for definition in visible if definition.func in own]
        try:
            self._registry.add_alias(spec.name, Target(spec), node, autouse=spec.autouse)
        except LooprigError as error:
            self.wrong.append(Wrong(error, spec.name, node, everywhere=spec.autouse))
            self.broken.add(spec.name)
        else:
            self._registry.put_above(overriding, node)

    def _explicit(self, definition: Definition) -> Target | None:
        return None if definition in self._implicit else self._registry.target(definition)

    def _see_fixtures(self, holder: Any, node: Any) -> None:
        for function in _compat.fixture_functions(holder):
            self._answer(function, node)
        # A suite that says which services it has means them to run, as with aiomisc, without asking in each test.
        if self.wakes_entrypoint and self._dialect.wakes(holder, node, _compat.fixture_names(holder)):
            pytest.register_fixture(name=_ENTRYPOINT, func=_use_entrypoint, node=node, autouse=True)

    # Answering

    def may_answer(self, function: object) -> bool:
        """False where there is nothing to answer."""
        return bool(self._ambiguous) or not asks_nothing(function)

    def answer_test(self, function: Any, node: Any) -> None:
        """Has the parameters of a test answered by annotation where no fixture has their name."""
        self._answer(function, node)
        if self._ambiguous:
            self._settle(function, node)

    def _answer(self, function: Any, node: Any) -> None:
        for name, annotation in self._registry.annotations.of(function):
            visible = _compat.visible_definitions(name, node)
            if visible and visible[-1] not in self._implicit:
                continue
            try:
                target = target_of(annotation, self._registry.proxies(function, node))
            except LooprigError as error:
                self.wrong.append(Wrong(error, name, node, function))
                self.broken.add(name)
                continue
            if target is not None:
                self._imply(function, name, target, node)

    def _imply(self, function: Any, name: str, target: Target, node: Any) -> None:
        self._registry.asked.setdefault(_plain(function), {})[name] = target
        self._mean(name, target, node)

    def _mean(self, name: str, target: Target, node: Any) -> None:
        """Has `name` stand for `target` in what is collected next below `node`."""
        visible = _compat.visible_definitions(name, node)
        if visible:
            known = self._registry.target(visible[-1])
            if known is not None and known.key == target.key:
                return
            self._ambiguous.add(name)
        try:
            self._registry.add_alias(name, target, node)
        except LooprigError as error:
            self.wrong.append(Wrong(error, name, node))
            self.broken.add(name)
        else:
            self._implicit.add(_compat.visible_definitions(name, node)[-1])

    def _settle(self, function: Any, node: Any) -> None:
        """Gives names with several meanings the one that the fixtures of a test mean by them."""
        try:
            names = [*parameters_of(function)]
        except (TypeError, ValueError):
            return
        own = self._registry.asked.get(_plain(function), {})
        marks = [*node.iter_markers("usefixtures"), *getattr(function, "pytestmark", ())]
        names += [name for mark in marks if mark.name == "usefixtures" for name in mark.args]
        seen: set[str] = set()
        while names:
            name = names.pop()
            visible = _compat.visible_definitions(name, node) if name not in seen else ()
            seen.add(name)
            if not visible:
                continue
            for asked, target in self._registry.asked.get(visible[-1].func, {}).items():
                if asked not in own:
                    self._mean(asked, target, node)
            names += visible[-1].argnames


def _plain(function: Any) -> Any:
    """A function as pytest has it later on: not the static or class method around it."""
    return getattr(function, "__func__", function)


def _same_name(module: ModuleType, one: ServiceSpec, other: ServiceSpec) -> DeclarationError:
    return DeclarationError(
        f"Two services are called {one.name!r} in {module.__name__}: {one.cls.__module__}.{one.cls.__qualname__} and "
        f"{other.cls.__module__}.{other.cls.__qualname__}.",
        [one.party, other.party],
        'Give one of them another name: @service_fixture(name="...").',
    )


def _use_entrypoint(entrypoint: object) -> None:
    """Starts what `services` and `default_context` say, for every test that sees them overridden."""
