"""Makes pytest fixtures of service classes.

Registers through `pytest.register_fixture` alone. Runs nothing: a service's fixture is an async generator like any
other, and the plan and the runner treat it so.

Invariants:
1. A service class has one fixture, of a name of its own. The names that users know are aliases of it on each module
   and conftest that sees the class: so it is one instance, visible where it was imported.
2. That fixture stands on the session. Nearer ones of the same name stand only where they differ: on a package, for a
   package-scoped service, and where a fixture answers a field that is configuration elsewhere.
3. What a module says itself goes before what it imports: its own fixture overrides that of a service, and may ask
   for it by its name, as with any override.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final, final

import pytest

from looprig.declare.fields import Source, find_cycle, resolve_fields
from looprig.declare.proxy import ProxyKind, is_proxy, is_proxy_class, kind_of_proxy, proxy_before, proxy_named
from looprig.declare.service import ServiceKey, ServiceSpec, declared_services, spec_of
from looprig.exceptions import AskError, DeclarationError, LooprigError
from looprig.location import Location, location_of
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.checks.services import errors_of_fixtures, errors_of_test
from looprig.pytest_plugin.collection.annotations import Annotations, Target
from looprig.pytest_plugin.collection.functions import (
    RunningServices,
    alias_function,
    client_function,
    service_function,
)
from looprig.scopes import Scope, ScopeName

__all__ = ["Registry"]

_PREFIX: Final = "_looprig_"


@final
class Registry:
    """The services of a run."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._running = RunningServices()
        self._names: dict[ServiceKey, str] = {}
        self._specs: dict[str, ServiceSpec] = {}
        self._sources: dict[ServiceKey, list[Source]] = {}
        self._targets: dict[Callable[..., Any], Target] = {}
        # Where each name of a fixture was seen below the session, and which services have a field of that name.
        self._holders: dict[str, list[Any]] = {}
        self._optional: dict[str, list[ServiceSpec]] = {}
        self._variants: set[tuple[str, Any]] = set()
        self._seen: set[type] = set()
        self._implicit_proxies: dict[tuple[ServiceKey, ProxyKind], ServiceSpec] = {}
        self.annotations: Final = Annotations()
        self.implied: set[Definition] = set()
        """The fixtures that stand for a service because of an annotation: for whoever has it, and for nobody else."""
        self.asked: dict[Callable[..., Any], dict[str, Target]] = {}
        """The services that tests and fixtures ask for by annotation, by function and parameter."""

    def asked_by(self, function: Callable[..., Any]) -> dict[str, Target]:
        """The services that a function asks for by annotation, by parameter."""
        return self.asked.get(getattr(function, "__func__", function), {})

    # Fixtures of services

    def fixture_of(self, spec: ServiceSpec, node: Any) -> str:
        """The name of the one fixture of a service, registered if need be, with all that it depends on.

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
            self._specs[name] = spec
            self._register_service(spec, self._session)
            for source in self.sources(spec):
                if not source.required and not source.config:
                    self._optional.setdefault(source.fixture, []).append(spec)
                    for holder in self._holders.get(source.fixture, ()):
                        self._register_service(spec, holder)
        self._stand_on_package(spec, node)
        return name

    def _stand_on_package(self, spec: ServiceSpec, node: Any) -> None:
        """Has a package-scoped service end with the package: pytest asks which one its fixture is registered on."""
        for needed in self.services_of(spec):
            self._stand_on_package(needed, node)
        if spec.scope is Scope.PACKAGE and (package := node.getparent(pytest.Package)) is not None:
            self._register_service(spec, package)

    def _unique_name(self, spec: ServiceSpec) -> str:
        plain = f"{spec.cls.__module__}_{spec.cls.__qualname__}"
        name = _PREFIX + "".join(char if char.isidentifier() or char.isdigit() else "_" for char in plain)
        while name in self._specs:  # two files of one module name, or two classes of one name
            name += "_"
        return name

    def _register_service(self, spec: ServiceSpec, node: Any) -> None:
        name = self._names[spec.key]
        if (name, node) in self._variants:
            return
        self._variants.add((name, node))
        arguments = {
            source.field: self._names[source.service.key] if source.service is not None else source.fixture
            for source in self.sources(spec)
            if not source.config and (source.required or self._is_answered(source.fixture, node))
        }
        routed = {source.field for source in self.sources(spec) if source.routed}
        self._register(name, service_function(spec, arguments, routed, self._running), node, spec.scope)

    def _is_answered(self, name: str, node: Any) -> bool:
        """Whether a suite or a plugin has such a fixture; pytest's own never answer a field that has a default."""
        return any(
            not (getattr(definition.func, "__module__", None) or "").startswith(("_pytest.", "looprig."))
            for definition in _compat.visible_definitions(name, node)
        )

    def note_fixtures(self, names: set[str], node: Any) -> None:
        """Fixtures of these names were seen on a node: they answer fields that have a default elsewhere."""
        for name in names:
            if node is not self._session:
                self._holders.setdefault(name, []).append(node)
            for spec in self._optional.get(name, ()):
                self._register_service(spec, node)

    def services_in(self, module: ModuleType) -> list[ServiceSpec]:
        """The service classes that a module has, each once."""
        found = {spec.key: spec for value in list(vars(module).values()) if (spec := spec_of(value)) is not None}
        self._seen.update(spec.cls for spec in found.values())
        return list(found.values())

    # Names that users know

    def add_alias(self, name: str, target: Target, node: Any, *, autouse: bool = False) -> None:
        """Has `name` give a service, or a client of one, below `node`.

        Raises:
            DeclarationError: the service's fields cannot be resolved.
        """
        fixture = self.fixture_of(target.fixture, node)
        make = client_function if target.client else alias_function
        function = make(target, fixture, self._running)
        self._targets[function] = target
        scope = Scope.FUNCTION if target.client else target.fixture.scope
        self._register(name, function, node, scope, autouse=autouse)

    @staticmethod
    def put_above(definitions: list[Definition], node: Any) -> None:
        """Registers fixtures of a node once more: of one node, what was registered last goes before the rest."""
        for definition in definitions:
            pytest.register_fixture(
                name=definition.argname,
                func=definition.func,
                node=node,
                scope=definition.scope,
                params=definition.params,
                ids=definition.ids,
            )

    @staticmethod
    def _register(name: str, function: Any, node: Any, scope: Scope, *, autouse: bool = False) -> None:
        if scope is Scope.PACKAGE and isinstance(node, pytest.Module | pytest.Class):
            # On a module, pytest would take it for one of the session.
            scope = Scope.MODULE if isinstance(node, pytest.Module) else Scope.CLASS
        scope_name: ScopeName = str(scope)  # type: ignore[assignment]
        pytest.register_fixture(name=name, func=function, node=node, scope=scope_name, autouse=autouse)

    # Fields

    def sources(self, spec: ServiceSpec) -> list[Source]:
        """Where the fields of a service take their values from.

        Raises:
            DeclarationError: they cannot be resolved.
        """
        sources = self._sources.get(spec.key)
        if sources is None:
            sources = self._sources[spec.key] = resolve_fields(spec, self.living_services)
        return sources

    def services_of(self, spec: ServiceSpec) -> list[ServiceSpec]:
        """The services that a service takes."""
        return [source.service for source in self.sources(spec) if source.service is not None]

    # Proxies

    def proxies(self, asker: Any, node: Any) -> "Proxies":
        """The proxies that the annotations of a function mean, collected on a node."""
        return Proxies(self, asker, node)

    def implicit_proxy(self, service: ServiceSpec, kind: ProxyKind) -> ServiceSpec:
        """A proxy in front of a service for which a test sees none of its kind that is declared."""
        spec = self._implicit_proxies.get((service.key, kind))
        if spec is None:
            # Not before a proxy is asked for, since that loads asyncio.
            from looprig.services.proxy import Proxy, proxy_for  # noqa: PLC0415
            from looprig.services.udp_proxy import UdpProxy  # noqa: PLC0415

            spec = proxy_for(service, UdpProxy if kind == "UdpProxy" else Proxy)
            self._implicit_proxies[service.key, kind] = spec
        return spec

    def living_services(self) -> list[ServiceSpec]:
        """All declared services whose module is still the one that is imported.

        Of several conftests that are in no package, `sys.modules` has the last one alone.
        """
        return [spec for spec in declared_services() if spec.cls in self._seen or _is_current(spec.cls)]

    def has_come_late(self, spec: ServiceSpec, field: str) -> bool:
        """Whether a service provides a Protocol now that none provided when its taker was resolved."""
        try:
            now = resolve_fields(spec, self.living_services)
        except DeclarationError:
            return False
        return any(source.field == field and source.service is not None for source in now)

    def late_errors(self) -> Iterator[tuple[str, LooprigError]]:
        """Protocols whose provider was imported after a service that takes it had been made a fixture.

        Each comes with the name of that fixture.
        """
        for fixture, spec in self._specs.items():
            try:
                now = resolve_fields(spec, self.living_services)
            except DeclarationError as error:
                yield fixture, error
                continue
            for source, later in zip(self.sources(spec), now, strict=True):
                if later.service is not None and source.service is None:
                    provider = later.service
                    yield fixture, _late(spec, source, provider)

    def errors_of_test(self, item: pytest.Function) -> Iterator[LooprigError]:
        """What is wrong with what a test itself asks for."""
        return errors_of_test(self, item)

    def errors_of_fixtures(self, definitions: Iterable[Definition], item: pytest.Function) -> Iterator[LooprigError]:
        """What is wrong with services, and with what asks for them, among the fixtures that a test uses."""
        return errors_of_fixtures(self, definitions, item)

    # Questions

    def spec(self, definition: Definition) -> ServiceSpec | None:
        """The service whose one fixture a definition is."""
        return self._specs.get(definition.argname)

    def fixtures(self) -> Iterable[str]:
        """The names of the fixtures of all services."""
        return self._specs.keys()

    def is_used_by(self, item: pytest.Function) -> bool:
        """Whether a test uses a service, be it by way of a client, a proxy or a fixture of the suite."""
        return not self._specs.keys().isdisjoint(item.fixturenames)

    def is_service(self, definition: Definition) -> bool:
        """Whether a definition is the one fixture of a service."""
        return definition.argname in self._specs

    def target(self, definition: Definition) -> Target | None:
        """What an alias stands for."""
        return self._targets.get(definition.func)

    def label(self, definition: Definition) -> str:
        """What people call a fixture: a service by its class, all else by its name."""
        spec = self._specs.get(definition.argname)
        return definition.argname if spec is None else spec.cls.__qualname__

    def public_name(self, definition: Definition) -> str:
        """What people write to ask for a fixture."""
        spec = self._specs.get(definition.argname)
        return definition.argname if spec is None else spec.name

    def name_of(self, wanted: Any) -> str:
        """The fixture that `ask` means: by its name, or by a service class.

        Raises:
            AskError: it is neither.
            DeclarationError: the service's fields cannot be resolved.
        """
        if isinstance(wanted, str):
            return wanted
        spec = spec_of(wanted)
        if spec is None:
            shown = getattr(wanted, "__qualname__", repr(wanted))
            raise AskError(
                f"ask({shown}): that is no service class.",
                [(shown, location_of(wanted))],
                "Ask for a class that is decorated with @service_fixture, or for a fixture by its name.",
            )
        return self.fixture_of(spec, self._session)


@final
class Proxies:
    """The proxies that one function's annotations mean."""

    def __init__(self, registry: Registry, asker: Any, node: Any) -> None:
        self._asker = asker
        self._node = node
        self._registry = registry

    def before(self, service: ServiceSpec, kind: ProxyKind) -> ServiceSpec:
        """What `Proxy[service]` means: the declared proxy that is seen there, or else one for each test.

        Raises:
            DeclarationError: several are seen.
        """
        declared = [spec for spec in self._registry.living_services() if is_proxy(spec.cls) and self._sees(spec)]
        found = proxy_before(service, declared, self._party(), kind)
        return found or self._registry.implicit_proxy(service, kind)

    def named(self, proxy: Any, service: ServiceSpec) -> ServiceSpec:
        """What `Through(proxy)` means for a service.

        Raises:
            DeclarationError: there is no such proxy in front of it, or one of several is to be named.
        """
        if proxy is None or is_proxy_class(proxy):
            return self.before(service, kind_of_proxy(proxy) or "Proxy")
        return proxy_named(proxy, service, (), self._party())

    def _sees(self, spec: ServiceSpec) -> bool:
        found = (self._registry.target(each) for each in _compat.visible_definitions(spec.name, self._node))
        return any(target is not None and target.spec.key == spec.key for target in found)

    def _party(self) -> tuple[str, Location]:
        return getattr(self._asker, "__qualname__", repr(self._asker)), location_of(self._asker)


def _late(spec: ServiceSpec, source: Source, provider: ServiceSpec) -> DeclarationError:
    taker, given = spec.cls.__qualname__, provider.cls.__qualname__
    return DeclarationError(
        f"{taker}.{source.field} takes what {given} provides, but {given} was imported after {taker} had become a "
        "fixture.",
        [spec.party, provider.party],
        f"Import {given} where {taker} is imported first, in a conftest.py say.",
    )


def _is_current(cls: type) -> bool:
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        if part == "<locals>":
            return True
        found = getattr(found, part, None)
    return found is cls
