"""The fixtures of services.

Registers only through `pytest.register_fixture`. Runs nothing: the fixture of a service is an ordinary async generator.

Invariants:
1. A service class has one fixture, with an internal name. The names that users write are aliases of it, on each module
   and conftest in which the class is visible. So there is one instance, wherever the class was imported.
2. That fixture is registered on the session. There is another one of the same name only where it differs: on a package,
   for a package-scoped service, and where a fixture provides a field that is configuration elsewhere.
3. A module's own fixture overrides that of an imported service, and may request the latter by its name, as any override
   may.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, final

import pytest

from looprig.declare.fields import find_cycle, resolve_fields
from looprig.declare.service import declared_services, spec_of
from looprig.pytest_plugin._compat import visible_definitions
from looprig.pytest_plugin._compat.instances import copied_definition
from looprig.pytest_plugin.collection.functions import (
    RunningServices,
    alias_function,
    client_function,
    service_function,
)
from looprig.pytest_plugin.options import PREFIX
from looprig.pytest_plugin.workers import is_worker, shared_run
from looprig.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import ModuleType

    from looprig.declare.fields import Source
    from looprig.declare.proxy import ProxyKind
    from looprig.declare.service import ServiceKey, ServiceSpec
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.annotations import Target
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.shared_run import SharedRun
    from looprig.scopes import ScopeName

__all__ = ["ServiceFixtures"]


@final
class ServiceFixtures:
    """The maker of the fixtures of a run's services."""

    def __init__(self, session: pytest.Session, registry: Registry) -> None:
        self._session = session
        self._registry = registry
        self._running = RunningServices(registry.note_left_open)
        self._names: dict[ServiceKey, str] = {}
        self._sources: dict[ServiceKey, list[Source]] = {}
        # The nodes below the session on which each fixture name was seen, and the services that have a field of that
        # name.
        self._holders: dict[str, list[Any]] = {}
        self._optional: dict[str, list[ServiceSpec]] = {}
        self._variants: set[tuple[str, Any]] = set()
        # The definitions that replace others in tests that parametrize configuration.
        self._configured: dict[tuple[Definition, frozenset[str], frozenset[Definition]], Definition] = {}
        self._seen: set[type] = set()
        self._implicit_proxies: dict[tuple[ServiceKey, ProxyKind], ServiceSpec] = {}

    # Fixtures of services

    def fixture_of(self, spec: ServiceSpec, node: Any) -> str:
        """Return the name of a service's fixture. Register it first if necessary, with everything that it needs.

        Raises:
            DeclarationError: its fields cannot be resolved.
        """
        name = self._names.get(spec.key)
        if name is None:
            find_cycle(spec, self.services_of)
            name = self._unique_name(spec)
            for needed in self.services_of(spec):
                self.fixture_of(needed, node)
            self._names[spec.key] = name
            self._registry.services[name] = spec
            if spec.in_thread:
                self._registry.in_thread.add(name)
            self._registry.class_names[spec.cls.__qualname__] += 1
            self._register_service(spec, self._session)
            if spec.scope is Scope.RUN and is_worker(self._session.config):
                self._shared_run()  # its hooks watch the collection
            for source in self.sources(spec):
                if not source.required and not source.config:
                    self._optional.setdefault(source.fixture, []).append(spec)
                    for holder in self._holders.get(source.fixture, ()):
                        self._register_service(spec, holder)
        self._register_on_package(spec, node)
        return name

    def _register_on_package(self, spec: ServiceSpec, node: Any) -> None:
        """Register a package-scoped service on its package, so that pytest ends the service with that package."""
        for needed in self.services_of(spec):
            self._register_on_package(needed, node)
        if spec.scope is Scope.PACKAGE and (package := node.getparent(pytest.Package)) is not None:
            self._register_service(spec, package)

    def _unique_name(self, spec: ServiceSpec) -> str:
        plain_name = f"{spec.cls.__module__}_{spec.cls.__qualname__}"
        name = PREFIX + "".join(char if char.isidentifier() or char.isdigit() else "_" for char in plain_name)
        while name in self._registry.services:  # two files with the same module name, or two classes with the same name
            name += "_"
        return name

    def _register_service(self, spec: ServiceSpec, node: Any) -> None:
        name = self._names[spec.key]
        if (name, node) in self._variants:
            return
        self._variants.add((name, node))
        function = self._function(spec, lambda source: not source.config and _is_answered(source.fixture, node))
        _register(name, function, node, spec.scope)

    def _function(self, spec: ServiceSpec, is_answered: Callable[[Source], bool]) -> Any:
        """Return the fixture function of a service. `is_answered` says whether a field with a default has a fixture."""
        arguments = {
            source.field: self._names[source.service.key] if source.service is not None else source.fixture
            for source in self.sources(spec)
            if (source.required and not source.config) or is_answered(source)
        }
        routed = {source.field for source in self.sources(spec) if source.routed}
        share = self._shared_run if spec.scope is Scope.RUN and is_worker(self._session.config) else None
        return service_function(spec, arguments, routed, self._running, share)

    def _shared_run(self) -> SharedRun:
        """Return the run that this worker of pytest-xdist shares services with."""
        return shared_run(self._session.config, self._registry)

    def note_fixtures(self, names: set[str], node: Any) -> None:
        """Record that a node has fixtures of these names. There they provide fields that use a default elsewhere."""
        for name in names:
            if node is not self._session:
                self._holders.setdefault(name, []).append(node)
            for spec in self._optional.get(name, ()):
                self._register_service(spec, node)

    def services_in(self, module: ModuleType) -> list[ServiceSpec]:
        """Return the service classes in a module, each once."""
        found = {spec.key: spec for value in list(vars(module).values()) if (spec := spec_of(value)) is not None}
        self._seen.update(spec.cls for spec in found.values())
        return list(found.values())

    # Names that users write

    def add_alias(self, name: str, target: Target, node: Any, *, autouse: bool = False) -> None:
        """Register a fixture called `name` that returns a service, or a client of one, below `node`.

        Raises:
            DeclarationError: the service's fields cannot be resolved.
        """
        fixture = self.fixture_of(target.fixture, node)
        make = client_function if target.client else alias_function
        function = make(target, fixture, self._running)
        self._registry.targets[function] = target
        scope = Scope.FUNCTION if target.client else target.fixture.scope
        _register(name, function, node, scope, autouse=autouse)

    @staticmethod
    def put_above(definitions: list[Definition], node: Any) -> None:
        """Register fixtures of a node again, since pytest prefers the one that was registered last on a node."""
        for definition in definitions:
            pytest.register_fixture(
                name=definition.argname,
                func=definition.func,
                node=node,
                scope=definition.scope,
                params=definition.params,
                ids=definition.ids,
            )

    def name_for(self, target: Target) -> str:
        """Return the name of the fixture for a service, a client, or a service behind a proxy, requested at run time.

        Raises:
            DeclarationError: the service's fields cannot be resolved.
        """
        fixture = self.fixture_of(target.fixture, self._session)
        if not target.client and target.through is None:
            return fixture
        name = fixture + ("_client" if target.client else "") + ("" if target.through is None else "_routed")
        if not visible_definitions(name, self._session):
            self.add_alias(name, target, self._session)
        return name

    # Fields

    def sources(self, spec: ServiceSpec) -> list[Source]:
        """Return the sources of the values of a service's fields.

        Raises:
            DeclarationError: a field cannot be resolved.
        """
        sources = self._sources.get(spec.key)
        if sources is None:
            sources = self._sources[spec.key] = resolve_fields(spec, self.living_services)
        return sources

    def open_fields(self, definition: Definition, requested: Collection[ServiceKey]) -> list[str]:
        """Return the fields of a service that are configuration because no fixture provides them.

        Those of installed packages are left out unless the service is among those `requested` by the test itself.
        """
        spec = self._registry.spec(definition)
        return [
            source.field
            for source in (() if spec is None else self.sources(spec))
            if not (source.required or source.fixture in definition.argnames)
            and (not source.foreign or (spec is not None and spec.key in requested))
        ]

    def configured(self, definition: Definition, fields: frozenset[str], needs: frozenset[Definition]) -> Definition:
        """Return a definition's replacement in tests that give values to its `fields`, or to those of its `needs`."""
        key = definition, fields, needs
        made = self._configured.get(key)
        if made is None:
            function = definition.func
            if fields:
                answered = fields.union(definition.argnames)
                spec = self._registry.services[definition.argname]
                function = self._function(spec, lambda source: source.fixture in answered)
            made = self._configured[key] = copied_definition(definition, function, self._session)
            if definition in self._registry.implied:
                self._registry.implied.add(made)
        return made

    def services_of(self, spec: ServiceSpec) -> list[ServiceSpec]:
        """Return the services that a service depends on."""
        return [source.service for source in self.sources(spec) if source.service is not None]

    def implicit_proxy(self, service: ServiceSpec, kind: ProxyKind) -> ServiceSpec:
        """Return a proxy in front of a service, for tests without a visible declared one."""
        spec = self._implicit_proxies.get((service.key, kind))
        if spec is None:
            # Not before a proxy is requested, since this loads asyncio.
            from looprig.services.proxy import proxy_for  # noqa: PLC0415

            spec = proxy_for(service, kind)
            self._implicit_proxies[service.key, kind] = spec
        return spec

    def living_services(self) -> list[ServiceSpec]:
        """Return all declared services whose module is still in `sys.modules`.

        If several conftests are in no package, `sys.modules` has only the last one.
        """
        return [spec for spec in declared_services() if spec.cls in self._seen or _is_current(spec.cls)]

    def late_services(self, spec: ServiceSpec) -> list[tuple[Source, ServiceSpec]]:
        """Return the fields that a service provides now, but that no service provided when they were resolved.

        Raises:
            DeclarationError: the fields can no longer be resolved.
        """
        now = resolve_fields(spec, self.living_services)
        return [
            (source, later.service)
            for source, later in zip(self.sources(spec), now, strict=True)
            if later.service is not None and source.service is None
        ]


def _register(name: str, function: Any, node: Any, scope: Scope, *, autouse: bool = False) -> None:
    if scope is Scope.PACKAGE and isinstance(node, pytest.Module | pytest.Class):
        # pytest would keep a package-scoped fixture of a module alive for the whole session.
        scope = Scope.MODULE if isinstance(node, pytest.Module) else Scope.CLASS
    scope_name: ScopeName = str(scope.in_pytest)  # type: ignore[assignment]
    pytest.register_fixture(name=name, func=function, node=node, scope=scope_name, autouse=autouse)


def _is_answered(name: str, node: Any) -> bool:
    """Return whether a suite or plugin has a fixture of this name. pytest's own fixtures don't count."""
    return any(
        not (getattr(definition.func, "__module__", None) or "").startswith(("_pytest.", "looprig."))
        for definition in visible_definitions(name, node)
    )


def _is_current(cls: type) -> bool:
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        if part == "<locals>":
            return True
        found = getattr(found, part, None)
    return found is cls
