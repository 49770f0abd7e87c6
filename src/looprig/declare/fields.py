"""The source of each field's value in a service.

The first of these that applies: `Annotated[T, Fixture("name")]`; T is a service class; T is a Protocol that exactly one
service provides; the fixture with the field's name. A field with a default and no such fixture is configuration, and
`field(init=False)` is state. `T | None` means the same as T.

Does not get the values, and does not know which fixtures exist: the caller, who does, decides whether a field with a
default is configuration.
"""

import dataclasses
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast, final

from typing_extensions import is_protocol

from looprig.declare.annotations import parameters_of
from looprig.declare.fields_meta import is_config
from looprig.declare.hints import UNRESOLVED, hints_of, is_union, without_none
from looprig.declare.proxy import Through, declared_before, kind_of_proxy, misplaced, proxied_service, proxy_named
from looprig.declare.service import ServiceKey, ServiceSpec, same_class, spec_of
from looprig.declare.values import TEXT, check_values
from looprig.exceptions import DeclarationError
from looprig.location import UNKNOWN, Location, is_foreign, is_of_looprig, location_of

__all__ = ["Fixture", "Source", "check_generic", "find_cycle", "resolve_fields", "service_of"]


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Fixture:
    """The name of the fixture that provides a field: `dsn: Annotated[str, Fixture("postgres_dsn")]`."""

    name: str

    def __post_init__(self) -> None:
        check_values("Fixture", [("name", self.name, TEXT)])


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """The source of the field `field`: `service` if there is one, otherwise the fixture called `fixture`.

    Attributes:
        required: the field has no default, so the fixture must exist.
        config: the field is configuration, even if a fixture has its name.
        known: the annotation can be evaluated at run time.
        expected: the service that the annotation names, if the value comes from a named fixture nevertheless.
        routed: `service` is a proxy, and the value is the service behind it, with the proxy's address.
        foreign: the field has a default, and a class of looprig or of another installed package declares it.
    """

    field: str
    service: ServiceSpec | None
    fixture: str
    required: bool
    config: bool = False
    known: bool = True
    expected: ServiceSpec | None = None
    routed: bool = False
    foreign: bool = False


def resolve_fields(spec: ServiceSpec, services: Callable[[], Iterable[ServiceSpec]]) -> list[Source]:
    """Return the source of each field of a service, in the order of its constructor.

    `services` returns all services that may provide a Protocol.

    Raises:
        DeclarationError: a Protocol is provided by several services, or a scope is too narrow.
    """
    hints = hints_of(spec.cls)
    # Go by the constructor: it leaves out state (`init=False`) and includes an InitVar, which isn't a field.
    declared: dict[str, dataclasses.Field[Any]] = getattr(spec.cls, "__dataclass_fields__", {})
    sources: list[Source] = []
    check_generic(hints.items(), spec.party)
    for parameter in parameters_of(spec.cls).values():
        field = declared.get(parameter.name)
        if field is None:
            continue
        required = parameter.default is parameter.empty
        if _is_config(spec.cls, field):
            source = Source(field.name, None, field.name, required, config=True)
        else:
            source = _resolve(spec, field.name, hints.get(field.name, UNRESOLVED), services, required=required)
        if source.service is not None:
            _check_scope(spec, source.service, source.field)
        if not source.required and _is_of_package(spec.cls, source.field):
            source = dataclasses.replace(source, foreign=True)
        sources.append(source)
    return sources


def _is_config(cls: type, field: "dataclasses.Field[Any]") -> bool:
    """Return whether a field, or the field of a base class that it overrides, is configuration."""
    return is_config(field) or any(
        is_config(own) for base in cls.__mro__ if (own := getattr(base, "__dataclass_fields__", {}).get(field.name))
    )


def _is_of_package(cls: type, field: str) -> bool:
    """Return whether an installed package declares a field, even if the suite's own class overrides its default."""
    bases = [base for base in cls.__mro__ if field in getattr(base, "__dataclass_fields__", {})]
    return any(
        is_of_looprig(base) or is_foreign(getattr(sys.modules.get(base.__module__), "__file__", None) or "")
        for base in bases
    )


def _resolve(
    spec: ServiceSpec, name: str, hint: Any, services: Callable[[], Iterable[ServiceSpec]], *, required: bool
) -> Source:
    base, fixture, through = _unwrapped(hint, _party(spec, name))
    service = service_of(base)
    if fixture is not None:
        return Source(name, None, fixture.name, required=True, expected=service)
    _check_one(base, _party(spec, name))
    if service is None and is_protocol(typing.get_origin(base) or base):
        service = _provider(spec, name, base, services())
    if through is not None:
        if service is None:
            raise _nothing_behind(through, base, _party(spec, name))
        service = proxy_named(through.proxy, service, services(), _party(spec, name))
    elif service is None:
        proxied, kind = service_of(proxied_service(base)), kind_of_proxy(base)
        if proxied is not None and kind is not None:
            service = declared_before(proxied, services(), _party(spec, name), kind)
    if service is not None:
        return Source(name, service, service.name, required=True, routed=through is not None)
    return Source(name, None, name, required, known=hint is not UNRESOLVED)


def _nothing_behind(through: Through, base: Any, party: tuple[str, Location]) -> DeclarationError:
    """Return the error for a field that goes through a proxy to something that isn't a service."""
    via = "a proxy" if through.proxy is None else getattr(through.proxy, "__qualname__", repr(through.proxy))
    named = typing.get_origin(base) or base
    shown = getattr(named, "__qualname__", str(base))
    is_of_proxy = kind_of_proxy(base) is not None
    why = f"no service provides {shown}" if is_protocol(named) else f"{shown} isn't a service"
    at = location_of(named)
    parties = [party] if is_of_proxy or at == UNKNOWN else [party, (shown, at)]
    return DeclarationError(
        f"{party[0]} goes through {via}, but {why}.",
        parties,
        "Annotate it with the service behind the proxy, or with a Protocol that it provides.",
        "declaration",
        party[0].rpartition(".")[2],
    )


def _party(spec: ServiceSpec, field: str) -> tuple[str, Location]:
    return f"{spec.cls.__qualname__}.{field}", spec.location


def service_of(annotation: Any) -> ServiceSpec | None:
    """Return the service that an annotation names, or `None`. A parametrized generic class stands for the class."""
    return spec_of(typing.get_origin(annotation) or annotation)


def _unwrapped(hint: Any, party: tuple[str, Location]) -> tuple[Any, Fixture | None, Through | None]:
    if isinstance(hint, DeclarationError):
        raise hint
    if isinstance(hint, dataclasses.InitVar):
        hint = cast("Any", hint).type
    hint = without_none(hint)
    if typing.get_origin(hint) is typing.Annotated:
        base, *extras = typing.get_args(hint)
        if (error := misplaced(f"Field {party[0]}", extras, party)) is not None:
            raise error
        fixture = next((extra for extra in extras if isinstance(extra, Fixture)), None)
        return without_none(base), fixture, next((extra for extra in extras if isinstance(extra, Through)), None)
    return hint, None, None


def _check_one(annotation: Any, party: tuple[str, Location]) -> None:
    """Reject a union of services, since it would be ambiguous, and a default would silently be used."""
    services = [service_of(member) for member in typing.get_args(annotation)] if is_union(annotation) else []
    found = [service for service in services if service is not None]
    if len(found) > 1:
        names = [service.cls.__qualname__ for service in found]
        raise DeclarationError(
            f"{party[0]} may be any of several services: {' or '.join(names)}.",
            [party, *(service.party for service in found)],
            "Annotate it with one of them, with a Protocol that one of them provides, or with Annotated[..., "
            'Fixture("name")] for a fixture that chooses.',
            "declaration",
            party[0].rpartition(".")[2],
        )


def check_generic(annotations: Iterable[tuple[str, Any]], party: tuple[str, Location]) -> None:
    """Reject a generic service that is used with several type arguments in one place, since it has one instance.

    Raises:
        DeclarationError: there is such a service.
    """
    seen: dict[ServiceKey, tuple[str, Any]] = {}
    for name, annotation in annotations:
        wanted = without_none(annotation)
        if typing.get_origin(wanted) is typing.Annotated:
            wanted = without_none(typing.get_args(wanted)[0])
        service = service_of(wanted)
        if service is None or not typing.get_args(wanted):
            continue
        other, first = seen.setdefault(service.key, (name, wanted))
        if first != wanted:
            cls = service.cls.__qualname__
            raise DeclarationError(
                f"{party[0]} takes {cls} for several types, as {other} and as {name}, but both are the same instance.",
                [party, service.party],
                f"Declare a service for each type: @service_fixture on `class Users({cls}[User])`.",
                "declaration",
                name,
            )


def _provider(spec: ServiceSpec, field: str, wanted: Any, services: Iterable[ServiceSpec]) -> ServiceSpec | None:
    found = [service for service in services if any(_is_same(given, wanted) for given in service.provides)]
    if len(found) > 1:
        protocol = typing.get_origin(wanted) or wanted
        raise DeclarationError(
            f"Field {field} of {spec.cls.__qualname__} requests a {protocol.__qualname__}, which "
            f"{len(found)} services provide.",
            [spec.party, (protocol.__qualname__, location_of(protocol)), *(service.party for service in found)],
            f"Annotate the field with the service you mean, or with Annotated[{protocol.__qualname__}, "
            f'Fixture("{found[0].name}")].',
            "declaration",
            field,
        )
    return found[0] if found else None


def _is_same(given: Any, wanted: Any) -> bool:
    """Return whether a provided Protocol is the one wanted. A bare generic Protocol matches any parameters."""
    origins = typing.get_origin(given) or given, typing.get_origin(wanted) or wanted
    if not same_class(*origins):
        return False
    return given in origins or wanted in origins or typing.get_args(given) == typing.get_args(wanted)


def _check_scope(spec: ServiceSpec, needed: ServiceSpec, field: str) -> None:
    if needed.scope < spec.scope:
        raise DeclarationError(
            f"{spec.label} needs {needed.label}, which ends first.",
            [spec.party, needed.party],
            _how_to_scope(spec, needed),
            "fixture-scope",
            field,
        )


def _how_to_scope(spec: ServiceSpec, needed: ServiceSpec) -> str:
    owner, name = spec.cls.__qualname__, needed.cls.__qualname__
    fix = f'Narrow {owner} to scope="{needed.scope}"'
    if not needed.is_foreign:
        named = filter(None, map(service_of, hints_of(needed.cls).values()))
        fixed = [each for each in named if is_of_looprig(each.cls) and each.scope < spec.scope]
        if not fixed:
            return f'Widen {name} to scope="{spec.scope}", or narrow {owner} to scope="{needed.scope}".'
        widest = min(fixed, key=lambda each: each.scope)
        if widest.scope > needed.scope:
            fix += f', or narrow {owner} and widen {name} to scope="{widest.scope}"'
        return f"{fix}: {name} needs {widest.cls.__qualname__}, a class of looprig, whose scope is fixed."
    if is_of_looprig(needed.cls):
        return f"{fix}: {name} is a class of looprig, whose scope is fixed."
    return f'{fix}, or declare a subclass of {name} with scope="{spec.scope}" and annotate the field with it.'


def find_cycle(spec: ServiceSpec, needs: Callable[[ServiceSpec], Iterable[ServiceSpec]]) -> None:
    """Check that no service depends on itself, starting the search at `spec`.

    Raises:
        DeclarationError: there is a cycle. The message shows the whole cycle.
    """
    __tracebackhide__ = True
    path: list[ServiceSpec] = []
    done: set[ServiceKey] = set()

    def walk(at: ServiceSpec) -> Iterator[list[ServiceSpec]]:
        for index, earlier in enumerate(path):
            if earlier.key == at.key:
                yield [*path[index:], at]
                return
        if at.key in done:
            return
        path.append(at)
        for needed in needs(at):
            yield from walk(needed)
        path.pop()
        done.add(at.key)

    for cycle in walk(spec):
        # Start at the same member wherever the search entered the circle, so that it is reported once.
        members = cycle[:-1]
        first = min(range(len(members)), key=lambda index: (members[index].location, *members[index].key))
        members = [*members[first:], *members[:first]]
        raise DeclarationError(
            "Services depend on each other in a circle: "
            + " -> ".join(member.cls.__qualname__ for member in [*members, members[0]])
            + ", so none of them can start first.",
            [member.party for member in members],
            "Remove one of these fields, or pass that value on after the service has started.",
        )
