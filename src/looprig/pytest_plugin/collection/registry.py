"""The fixtures of services.

Registers through `pytest.register_fixture` alone. Runs nothing: the fixture of a service is an async generator like any
other, for the plan and for whatever runs it.

Invariants:
1. A service class has one fixture, with a name of its own. The names that users know are aliases of it on each module
   and conftest that sees the class: so there is one instance, visible wherever the class was imported.
2. That fixture is registered on the session. Nearer ones of the same name exist only where they differ: on a package,
   for a package-scoped service, and where a fixture answers a field that is configuration elsewhere.
3. What a module defines goes before what it imports: its own fixture overrides that of a service, and may request
   it by its name, as with any override.
"""

import sys
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, final

import pytest

from looprig.declare.fields import Source, find_cycle, resolve_fields
from looprig.declare.proxy import ProxyKind
from looprig.declare.service import ServiceKey, ServiceSpec, declared_services, spec_of
from looprig.pytest_plugin._compat import Definition, visible_definitions
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin._compat.instances import copied_definition
from looprig.pytest_plugin.collection.annotations import Annotations, Target
from looprig.pytest_plugin.collection.functions import (
    RunningServices,
    alias_function,
    client_function,
    service_function,
)
from looprig.pytest_plugin.options import PREFIX
from looprig.scopes import Scope, ScopeName

__all__ = ["Registry", "plain"]


@final
class Registry:
    """The services of a run."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._running = RunningServices()
        self._names: dict[ServiceKey, str] = {}
        self._class_names: Counter[str] = Counter()
        self._sources: dict[ServiceKey, list[Source]] = {}
        self._targets: dict[Callable[..., Any], Target] = {}
        # Where each name of a fixture was seen below the session, and which services have a field of that name.
        self._holders: dict[str, list[Any]] = {}
        self._optional: dict[str, list[ServiceSpec]] = {}
        self._variants: set[tuple[str, Any]] = set()
        # What stands for a definition in tests that are parametrized over configuration.
        self._configured: dict[tuple[Definition, frozenset[str], frozenset[Definition]], Definition] = {}
        self._seen: set[type] = set()
        self._implicit_proxies: dict[tuple[ServiceKey, ProxyKind], ServiceSpec] = {}
        self.annotations: Final = Annotations()
        self.services: Final[dict[str, ServiceSpec]] = {}
        """The services that have a fixture, by its name."""
        self.implied: Final[set[Definition]] = set()
        """The fixtures that stand for a service because of an annotation: only for the function that has it."""
        self.asked: Final[dict[Callable[..., Any], dict[str, Target]]] = {}
        """The services that tests and fixtures ask for by annotation, by function and parameter."""

    # Fixtures of services

    def fixture_of(self, spec: ServiceSpec, node: Any) -> str:
        """Return the name of the one fixture of a service; register it first, with all that it needs, if it has none.

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
            self.services[name] = spec
            self._class_names[spec.cls.__qualname__] += 1
            self._register_service(spec, self._session)
            for source in self.sources(spec):
                if not source.required and not source.config:
                    self._optional.setdefault(source.fixture, []).append(spec)
                    for holder in self._holders.get(source.fixture, ()):
                        self._register_service(spec, holder)
        self._register_on_package(spec, node)
        return name

    def _register_on_package(self, spec: ServiceSpec, node: Any) -> None:
        """Make a package-scoped service end with its package: pytest asks on which one its fixture is registered."""
        for needed in self.services_of(spec):
            self._register_on_package(needed, node)
        if spec.scope is Scope.PACKAGE and (package := node.getparent(pytest.Package)) is not None:
            self._register_service(spec, package)

    def _unique_name(self, spec: ServiceSpec) -> str:
        plain_name = f"{spec.cls.__module__}_{spec.cls.__qualname__}"
        name = PREFIX + "".join(char if char.isidentifier() or char.isdigit() else "_" for char in plain_name)
        while name in self.services:  # two files of one module name, or two classes of one name
            name += "_"
        return name

    def _register_service(self, spec: ServiceSpec, node: Any) -> None:
        name = self._names[spec.key]
        if (name, node) in self._variants:
            return
        self._variants.add((name, node))
        _register(name, self._function(spec, lambda fixture: _is_answered(fixture, node)), node, spec.scope)

    def _function(self, spec: ServiceSpec, is_answered: Callable[[str], bool]) -> Any:
        """Return the fixture function of a service; `is_answered` tells which fields with a default have a fixture."""
        arguments = {
            source.field: self._names[source.service.key] if source.service is not None else source.fixture
            for source in self.sources(spec)
            if not source.config and (source.required or is_answered(source.fixture))
        }
        routed = {source.field for source in self.sources(spec) if source.routed}
        return service_function(spec, arguments, routed, self._running)

    def note_fixtures(self, names: set[str], node: Any) -> None:
        """Note that fixtures of these names are on a node: they answer fields that have a default elsewhere."""
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

    # Names that users know

    def add_alias(self, name: str, target: Target, node: Any, *, autouse: bool = False) -> None:
        """Make `name` a fixture that returns a service, or a client of one, below `node`.

        Raises:
            DeclarationError: the service's fields cannot be resolved.
        """
        fixture = self.fixture_of(target.fixture, node)
        make = client_function if target.client else alias_function
        function = make(target, fixture, self._running)
        self._targets[function] = target
        scope = Scope.FUNCTION if target.client else target.fixture.scope
        _register(name, function, node, scope, autouse=autouse)

    @staticmethod
    def put_above(definitions: list[Definition], node: Any) -> None:
        """Register fixtures of a node again: of those on one node, pytest prefers the one that was registered last."""
        for definition in definitions:
            pytest.register_fixture(
                name=definition.argname,
                func=definition.func,
                node=node,
                scope=definition.scope,
                params=definition.params,
                ids=definition.ids,
            )

    # Fields

    def sources(self, spec: ServiceSpec) -> list[Source]:
        """Return where the fields of a service take their values from.

        Raises:
            DeclarationError: they cannot be resolved.
        """
        sources = self._sources.get(spec.key)
        if sources is None:
            sources = self._sources[spec.key] = resolve_fields(spec, self.living_services)
        return sources

    def open_fields(self, definition: Definition) -> list[str]:
        """Return the fields of a service that are configuration because no fixture answers them."""
        spec = self.spec(definition)
        return [
            source.field
            for source in (() if spec is None else self.sources(spec))
            if not (source.required or source.config or source.fixture in definition.argnames)
        ]

    def configured(self, definition: Definition, fields: frozenset[str], needs: frozenset[Definition]) -> Definition:
        """Return what stands for a definition in tests that give values to `fields`, or to those of what it `needs`."""
        key = definition, fields, needs
        made = self._configured.get(key)
        if made is None:
            function = definition.func
            if fields:
                answered = fields.union(definition.argnames)
                function = self._function(self.services[definition.argname], answered.__contains__)
            made = self._configured[key] = copied_definition(definition, function, self._session)
            if definition in self.implied:
                self.implied.add(made)
        return made

    def services_of(self, spec: ServiceSpec) -> list[ServiceSpec]:
        """Return the services that a service takes."""
        return [source.service for source in self.sources(spec) if source.service is not None]

    def implicit_proxy(self, service: ServiceSpec, kind: ProxyKind) -> ServiceSpec:
        """Return a proxy in front of a service, for tests that see no declared one of its kind."""
        spec = self._implicit_proxies.get((service.key, kind))
        if spec is None:
            # Not before a proxy is asked for, since that loads asyncio.
            from looprig.services.proxy import proxy_for  # noqa: PLC0415

            spec = proxy_for(service, kind)
            self._implicit_proxies[service.key, kind] = spec
        return spec

    def living_services(self) -> list[ServiceSpec]:
        """Return all declared services whose module is still the one that is imported.

        Of several conftests that are in no package, `sys.modules` has only the last.
        """
        return [spec for spec in declared_services() if spec.cls in self._seen or _is_current(spec.cls)]

    def late_services(self, spec: ServiceSpec) -> list[tuple[Source, ServiceSpec]]:
        """Return the fields of a service that a service answers now, but that none did when they were resolved.

        Raises:
            DeclarationError: the fields cannot be resolved any more.
        """
        now = resolve_fields(spec, self.living_services)
        return [
            (source, later.service)
            for source, later in zip(self.sources(spec), now, strict=True)
            if later.service is not None and source.service is None
        ]

    # Questions

    def asked_by(self, function: Callable[..., Any]) -> dict[str, Target]:
        """Return the services that a function asks for by annotation, by parameter."""
        return self.asked.get(plain(function), {})

    def spec(self, definition: Definition) -> ServiceSpec | None:
        """Return the service whose one fixture a definition is."""
        return self.services.get(definition.argname)

    def is_used_by(self, item: pytest.Function) -> bool:
        """Return whether a test uses a service, perhaps through a client, a proxy or a fixture of the suite."""
        return not self.services.keys().isdisjoint(closure_of(item).names)

    def is_service(self, definition: Definition) -> bool:
        """Return whether a definition is the one fixture of a service."""
        return definition.argname in self.services

    def target(self, definition: Definition) -> Target | None:
        """Return what an alias stands for."""
        return self._targets.get(definition.func)

    def is_of_service(self, definition: Definition) -> bool:
        """Return whether a definition is the fixture of a service, or an alias of one."""
        return self.is_service(definition) or self.target(definition) is not None

    def label(self, definition: Definition) -> str:
        """Return what people call a fixture: the class of a service, the name of anything else.

        Of services with one class name in several modules, each has its module's name before it.
        """
        spec = self.spec(definition)
        if spec is not None:
            name = spec.cls.__qualname__
            return name if self._class_names[name] < 2 else f"{spec.cls.__module__}.{name}"  # noqa: PLR2004 - several
        is_nameless = definition.argname.startswith(PREFIX)
        return str(self.target(definition)) if is_nameless else definition.argname

    def public_name(self, definition: Definition) -> str:
        """Return what people write to request a fixture."""
        spec = self.spec(definition)
        return definition.argname if spec is None else spec.name

    def name_for(self, target: Target) -> str:
        """Return the fixture that answers a request at run time for a service, a client or what is behind a proxy.

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


def plain(function: Any) -> Any:
    """Return a function as pytest has it later: not the static or class method around it."""
    return getattr(function, "__func__", function)


def _register(name: str, function: Any, node: Any, scope: Scope, *, autouse: bool = False) -> None:
    if scope is Scope.PACKAGE and isinstance(node, pytest.Module | pytest.Class):
        # pytest gives a package-scoped fixture of a module to the whole session.
        scope = Scope.MODULE if isinstance(node, pytest.Module) else Scope.CLASS
    scope_name: ScopeName = str(scope)  # type: ignore[assignment]
    pytest.register_fixture(name=name, func=function, node=node, scope=scope_name, autouse=autouse)


def _is_answered(name: str, node: Any) -> bool:
    """Return whether a suite or a plugin has such a fixture; pytest's own never answer a field that has a default."""
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
