"""Makes pytest fixtures of service classes, and answers parameters by their annotation.

Registers through `pytest.register_fixture` alone. Runs nothing: a service's fixture is an async generator like any
other, and the plan and the runner treat it so.

Invariants:
1. A service class has one fixture, of a name of its own, on the session. The name that users know is an alias of it
   on each module and conftest that sees the class: so it is one instance, visible where it was imported.
2. A parameter is answered by its name first. What answers it is then held against its annotation.
"""

import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any, Final, final

import pytest

from looprig.declare.fields import Source, find_cycle, resolve_fields
from looprig.declare.service import ServiceSpec, declared_services, spec_of
from looprig.exceptions import AskError, DeclarationError, LooprigError
from looprig.location import Location, location_of
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.scopes import Scope, ScopeName

__all__ = ["Registry", "Target"]

_PREFIX: Final = "_looprig_"
_ENTRYPOINT_SETTINGS: Final = ("services", "default_context", "entrypoint_kwargs", "entrypoint")


@final
class Target:
    """What an annotation asks for: a service, or a client of one."""

    __slots__ = ("client", "spec")

    def __init__(self, spec: ServiceSpec, *, client: bool) -> None:
        self.spec = spec
        self.client = client

    @property
    def key(self) -> tuple[object, bool]:
        """Equal for two annotations that ask for the same thing."""
        return self.spec.key, self.client

    def __str__(self) -> str:
        return f"TestClient[{self.spec.cls.__qualname__}]" if self.client else self.spec.cls.__qualname__


@final
class Registry:
    """The services of a run."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._names: dict[tuple[str, str], str] = {}
        self._aliases: set[tuple[object, str, tuple[object, bool]]] = set()
        self._targets: dict[Callable[..., Any], Target] = {}
        self._seen: set[tuple[ModuleType, object]] = set()
        self._strings: dict[tuple[str, str], Target | None] = {}
        self.specs: dict[str, ServiceSpec] = {}
        self._sources: dict[tuple[str, str], list[Source]] = {}

    # Seeing modules

    def see(self, module: ModuleType, node: Any) -> None:
        """Makes fixtures of the service classes that a module or conftest has, visible below `node`."""
        if (module, node) in self._seen or module.__name__.startswith("looprig."):
            return
        self._seen.add((module, node))
        for value in list(vars(module).values()):
            spec = spec_of(value)
            if spec is not None:
                self._alias(node, spec.name, Target(spec, client=False), autouse=spec.autouse)
        self.see_fixtures(module, node)

    def see_fixtures(self, holder: Any, node: Any) -> None:
        """Looks at the fixtures of a module or class: answers their parameters, and uses the entrypoint if need be."""
        for function in _compat.fixture_functions(holder):
            self.answer(function, node)
        # A suite that says which services it has means them to run, as with aiomisc, without asking in each test.
        if any(name in _compat.fixture_names(holder) for name in _ENTRYPOINT_SETTINGS):
            self._register("_looprig_entrypoint", _use_entrypoint, node, Scope.FUNCTION, autouse=True)

    def answer(self, function: Any, node: Any) -> None:
        """Has the parameters of a test or fixture answered by annotation where no fixture has their name.

        Raises:
            DeclarationError: a service answers by name that is not what the annotation says.
        """
        for name, target in self._parameters(function):
            visible = _compat.visible_definitions(name, node)
            known = self._targets.get(visible[-1].func) if visible else None
            if not visible:
                self._alias(node, name, target)
            elif known is not None and not _satisfies(known, target):
                if self._is_implicit(visible[-1], node):
                    self._alias(node, name, target)  # another test of this module; the latest is what a new test gets
                else:
                    raise _mismatch(function, name, target, known)

    def _is_implicit(self, definition: Definition, node: Any) -> bool:
        target = self._targets[definition.func]
        return definition.argname != target.spec.name and (node, definition.argname, target.key) in self._aliases

    def _parameters(self, function: Any) -> Iterator[tuple[str, Target]]:
        function = inspect.unwrap(getattr(function, "__func__", function))
        try:
            annotations = getattr(function, "__annotations__", None)
        except NameError:  # Python 3.14 evaluates them here
            return
        if not annotations or not isinstance(function, FunctionType):
            return
        for name, annotation in annotations.items():
            if name != "return" and (target := self._target(annotation, function)) is not None:
                yield name, target

    def _target(self, annotation: Any, function: FunctionType) -> Target | None:
        if not isinstance(annotation, str):
            return target_of(annotation)
        key = (function.__module__, annotation)
        if key not in self._strings:
            try:
                value = eval(annotation, function.__globals__)  # noqa: S307 - the user's own annotation
            except Exception:  # noqa: BLE001 - a name for checkers only: not a service that could be started
                value = None
            self._strings[key] = target_of(value)
        return self._strings[key]

    # Registering

    def fixture_of(self, spec: ServiceSpec) -> str:
        """The name of the one fixture of a service, registered if need be, with all that it depends on.

        Raises:
            DeclarationError: its fields cannot be resolved.
        """
        name = self._names.get(spec.key)
        if name is not None:
            return name
        find_cycle(spec, lambda member: [s.service for s in self._resolve(member) if s.service is not None])
        name = self._names[spec.key] = _PREFIX + "_".join((spec.cls.__module__.replace(".", "_"), _plain(spec)))
        while name in self.specs:  # two files of one module name
            name = self._names[spec.key] = name + "_"
        arguments = {
            source.field: self.fixture_of(source.service) if source.service is not None else source.fixture
            for source in self._resolve(spec)
        }
        self.specs[name] = spec
        self._register(name, _service_function(spec, arguments), self._session, spec.scope)
        return name

    def _resolve(self, spec: ServiceSpec) -> list[Source]:
        sources = self._sources.get(spec.key)
        if sources is None:
            sources = self._sources[spec.key] = resolve_fields(
                spec, is_fixture=self._is_own_fixture, services=self.living_services
            )
        return sources

    def _is_own_fixture(self, name: str) -> bool:
        """Whether a suite or a plugin has such a fixture; pytest's own never answer a field that has a default."""
        return any(
            not (getattr(definition.func, "__module__", None) or "").startswith(("_pytest.", "looprig."))
            for definition in _compat.definitions_named(name, self._session)
        )

    @staticmethod
    def living_services() -> list[ServiceSpec]:
        """All declared services whose module is still the one that is imported."""
        return [spec for spec in declared_services() if _is_current(spec.cls)]

    def _alias(self, node: Any, name: str, target: Target, *, autouse: bool = False) -> None:
        fixture = self.fixture_of(target.spec)
        if (node, name, target.key) in self._aliases and not target.client:
            return
        self._aliases.add((node, name, target.key))
        function = _client_function(target.spec, fixture) if target.client else _alias_function(target.spec, fixture)
        self._targets[function] = target
        self._register(name, function, node, Scope.FUNCTION if target.client else target.spec.scope, autouse=autouse)

    @staticmethod
    def _register(name: str, function: Any, node: Any, scope: Scope, *, autouse: bool = False) -> None:
        scope_name: ScopeName = str(scope)  # type: ignore[assignment]
        pytest.register_fixture(name=name, func=function, node=node, scope=scope_name, autouse=autouse)

    # Questions

    def name_of(self, wanted: Any) -> str:
        """The fixture that `ask` means: by its name, or by a service class.

        Raises:
            AskError: it is neither.
        """
        if isinstance(wanted, str):
            return wanted
        spec = spec_of(wanted)
        if spec is None:
            raise AskError(
                f"ask({getattr(wanted, '__qualname__', wanted)!r}): that is no service class.",
                [(getattr(wanted, "__qualname__", repr(wanted)), location_of(wanted))],
                "Ask for a class that is decorated with @service_fixture, or for a fixture by its name.",
            )
        return self.fixture_of(spec)

    def is_service(self, definition: Definition) -> bool:
        """Whether a definition is the one fixture of a service."""
        return definition.argname in self.specs

    def label(self, definition: Definition) -> str:
        """What people call a fixture: a service by its class, all else by its name."""
        spec = self.specs.get(definition.argname)
        return definition.argname if spec is None else spec.cls.__qualname__

    def target(self, definition: Definition) -> Target | None:
        """What an alias stands for."""
        return self._targets.get(definition.func)

    def errors(self, definitions: Iterable[Definition], item: pytest.Function) -> Iterator[LooprigError]:
        """What is wrong with services among `definitions` that only shows once a test uses them."""
        for definition in definitions:
            spec = self.specs.get(definition.argname)
            if spec is None:
                continue
            for source in self._resolve(spec):
                if source.service is None:
                    yield from self._missing_or_narrow(spec, source, item)

    @staticmethod
    def _missing_or_narrow(spec: ServiceSpec, source: Source, item: pytest.Function) -> Iterator[LooprigError]:
        visible = _compat.visible_definitions(source.fixture, item)
        user = (item.name, location_of(item.obj))
        if not visible:
            if source.required:
                yield DeclarationError(
                    f"{spec.cls.__qualname__}.{source.field} has no value: there is no fixture {source.fixture!r}, "
                    "its type is no service class, and it has no default.",
                    [spec.party, user],
                    f"Add a fixture {source.fixture!r}, give the field a default, or annotate it with a service.",
                )
            return
        found = visible[-1]
        if _compat.scope_of(found) < spec.scope:
            yield DeclarationError(
                f'{spec.label} needs {found.argname} (scope "{found.scope}"), which ends first.',
                [spec.party, (found.argname, location_of(found.func))],
                f'Widen {found.argname} to scope="{spec.scope}", or narrow {spec.cls.__qualname__} to '
                f'scope="{found.scope}".',
            )


def target_of(annotation: Any) -> Target | None:
    """What an annotation asks for, if it is about a service."""
    spec = spec_of(annotation)
    if spec is not None:
        return Target(spec, client=False)
    origin = typing.get_origin(annotation)
    client = sys.modules.get("looprig.http.client")  # an annotation that names it has loaded it
    if client is not None and origin is client.TestClient:
        (service,) = typing.get_args(annotation)
        spec = spec_of(service)
        return Target(spec, client=True) if spec is not None else None
    return None


def _satisfies(known: Target, wanted: Target) -> bool:
    if known.client is not wanted.client:
        return False
    return known.spec.key == wanted.spec.key or issubclass(known.spec.cls, wanted.spec.cls)


def _mismatch(function: Any, name: str, wanted: Target, known: Target) -> DeclarationError:
    qualname = getattr(function, "__qualname__", repr(function))
    return DeclarationError(
        f"{qualname} declares {name}: {wanted}, but fixture {name!r} provides {known}.",
        [(qualname, location_of(function)), known.spec.party, wanted.spec.party],
        f"Annotate it as {known}, or give the parameter a name that no fixture has.",
    )


def _is_current(cls: type) -> bool:
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        if part == "<locals>":
            return True
        found = getattr(found, part, None)
    return found is cls


def _plain(spec: ServiceSpec) -> str:
    return "".join(char if char.isidentifier() or char.isdigit() else "_" for char in spec.cls.__qualname__)


# The functions behind the fixtures


def _use_entrypoint(entrypoint: object) -> None:
    """Starts what `services` and `default_context` say, for every test that sees them overridden."""


def _service_function(spec: ServiceSpec, arguments: dict[str, str]) -> Any:
    async def service(**values: Any) -> Any:
        from looprig.services.lifecycle import alive  # noqa: PLC0415 - asyncio, not before a service starts

        fields = {field: values[name] for field, name in arguments.items()}
        async with alive(lambda: spec.cls(**fields), spec) as running:
            yield running

    return _dressed(service, spec, list(dict.fromkeys(arguments.values())), spec.cls.__doc__)


def _alias_function(spec: ServiceSpec, fixture: str) -> Any:
    def alias(**values: Any) -> Any:
        return values[fixture]

    return _dressed(alias, spec, [fixture], spec.cls.__doc__)


def _client_function(spec: ServiceSpec, fixture: str) -> Any:
    async def client(**values: Any) -> Any:
        from looprig.http.client import TestClient  # noqa: PLC0415 - not before a client is opened

        async with TestClient(values[fixture]) as opened:
            yield opened

    return _dressed(client, spec, [fixture], f"A client of {spec.cls.__qualname__}, closed after the test.")


def _dressed(function: Any, spec: ServiceSpec, parameters: list[str], doc: str | None) -> Any:
    """Has a function look as if it were written where the class is: for `--fixtures` and for errors."""
    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in parameters]
    )
    function.__name__ = spec.name
    function.__qualname__ = spec.cls.__qualname__
    function.__module__ = spec.cls.__module__
    function.__doc__ = doc
    function.__wrapped__ = _stand_in(spec.location)
    return function


def _stand_in(location: Location) -> FunctionType:
    def stand_in() -> None: ...

    stand_in.__code__ = stand_in.__code__.replace(co_filename=location.path, co_firstlineno=max(location.line, 1))
    return stand_in
