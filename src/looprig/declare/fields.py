"""Where the value of each field of a service comes from.

In this order: `Annotated[T, Fixture("name")]`; T is a service class; T is a Protocol that exactly one service
provides; the fixture of the field's name. A field with a default and no such fixture is configuration, and
`field(init=False)` is state. Does not get the values, and knows of no fixtures: who does decides whether a field with
a default is configuration.
"""

import dataclasses
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast, final

from typing_extensions import is_protocol

from looprig.declare.annotations import parameters_of
from looprig.declare.fields_meta import is_config
from looprig.declare.hints import UNRESOLVED, hints_of
from looprig.declare.proxy import Through, declared_before, kind_of_proxy, misplaced, proxied_service, proxy_named
from looprig.declare.service import ServiceKey, ServiceSpec, same_class, spec_of
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of

__all__ = ["Fixture", "Source", "find_cycle", "resolve_fields", "service_of"]


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Fixture:
    """Names the fixture that a field takes: `dsn: Annotated[str, Fixture("postgres_dsn")]`."""

    name: str


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """The field `field` takes its value from a service, or else from the fixture called `fixture`.

    `required` says that the field has no default, so that the fixture must exist; `config`, that it is configuration
    whatever fixtures there are; `known`, that its annotation means something at run time. `expected` is the service
    that the annotation names where the value comes from a fixture all the same. `routed` says that `service` is a
    proxy, and the value what is behind it, seen through it.
    """

    field: str
    service: ServiceSpec | None
    fixture: str
    required: bool
    config: bool = False
    known: bool = True
    expected: ServiceSpec | None = None
    routed: bool = False


def resolve_fields(spec: ServiceSpec, services: Callable[[], Iterable[ServiceSpec]]) -> list[Source]:
    """Where the fields of a service may take their values from, in the order of its constructor.

    `services` gives all those that may provide a Protocol.

    Raises:
        DeclarationError: a Protocol is provided by several services, or a scope is too narrow.
    """
    hints = hints_of(spec.cls)
    # What the constructor takes: so state (`init=False`) is left out, and an InitVar, which is no field, is not.
    declared: dict[str, dataclasses.Field[Any]] = getattr(spec.cls, "__dataclass_fields__", {})
    sources: list[Source] = []
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
        sources.append(source)
    return sources


def _is_config(cls: type, field: "dataclasses.Field[Any]") -> bool:
    """Whether a field, or the one of a base class that it overrides, is configuration."""
    return is_config(field) or any(
        is_config(own) for base in cls.__mro__ if (own := getattr(base, "__dataclass_fields__", {}).get(field.name))
    )


def _resolve(
    spec: ServiceSpec, name: str, hint: Any, services: Callable[[], Iterable[ServiceSpec]], *, required: bool
) -> Source:
    base, fixture, through = _unwrapped(hint, _party(spec, name))
    service = service_of(base)
    if fixture is not None:
        return Source(name, None, fixture.name, required=True, expected=service)
    if service is None:
        proxied, kind = service_of(proxied_service(base)), kind_of_proxy(base)
        if proxied is not None and kind is not None:
            service = declared_before(proxied, services(), _party(spec, name), kind)
    elif through is not None:
        service = proxy_named(through.proxy, service, services(), _party(spec, name))
    if service is None and is_protocol(typing.get_origin(base) or base):
        service = _provider(spec, name, base, services())
    if service is not None:
        return Source(name, service, service.name, required=True, routed=through is not None)
    return Source(name, None, name, required, known=hint is not UNRESOLVED)


def _party(spec: ServiceSpec, field: str) -> tuple[str, Location]:
    return f"{spec.cls.__qualname__}.{field}", spec.location


def service_of(annotation: Any) -> ServiceSpec | None:
    """The service that an annotation names: the class, or a parametrized generic one."""
    return spec_of(typing.get_origin(annotation) or annotation)


def _unwrapped(hint: Any, party: tuple[str, Location]) -> tuple[Any, Fixture | None, Through | None]:
    if isinstance(hint, dataclasses.InitVar):
        hint = cast("Any", hint).type
    if typing.get_origin(hint) is typing.Annotated:
        base, *extras = typing.get_args(hint)
        if (error := misplaced(f"Field {party[0]}", extras, party)) is not None:
            raise error
        fixture = next((extra for extra in extras if isinstance(extra, Fixture)), None)
        return base, fixture, next((extra for extra in extras if isinstance(extra, Through)), None)
    return hint, None, None


def _provider(spec: ServiceSpec, field: str, wanted: Any, services: Iterable[ServiceSpec]) -> ServiceSpec | None:
    found = [service for service in services if any(_is_same(given, wanted) for given in service.provides)]
    if len(found) > 1:
        protocol = typing.get_origin(wanted) or wanted
        raise DeclarationError(
            f"Field {field} of {spec.cls.__qualname__} takes a {protocol.__qualname__}, which "
            f"{len(found)} services provide.",
            [spec.party, (protocol.__qualname__, location_of(protocol)), *(service.party for service in found)],
            f"Name the one you mean: the class itself, or Annotated[{protocol.__qualname__}, "
            f'Fixture("{found[0].name}")].',
            "declaration",
            field,
        )
    return found[0] if found else None


def _is_same(given: Any, wanted: Any) -> bool:
    """Whether a provided Protocol is the one that is wanted; a bare generic one stands for all its parameters."""
    origins = typing.get_origin(given) or given, typing.get_origin(wanted) or wanted
    if not same_class(*origins):
        return False
    return given in origins or wanted in origins or typing.get_args(given) == typing.get_args(wanted)


def _check_scope(spec: ServiceSpec, needed: ServiceSpec, field: str) -> None:
    if needed.scope < spec.scope:
        raise DeclarationError(
            f"{spec.label} needs {needed.label}, which ends first.",
            [spec.party, needed.party],
            f'Widen {needed.cls.__qualname__} to scope="{spec.scope}", or narrow {spec.cls.__qualname__} to '
            f'scope="{needed.scope}".',
            "fixture-scope",
            field,
        )


def find_cycle(spec: ServiceSpec, needs: Callable[[ServiceSpec], Iterable[ServiceSpec]]) -> None:
    """Looks for a way from a service back to itself.

    Raises:
        DeclarationError: there is one; all of it is shown.
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
        # Told from the same member on, wherever it was entered: so it is told once.
        members = cycle[:-1]
        first = min(range(len(members)), key=lambda index: (members[index].location, *members[index].key))
        members = [*members[first:], *members[:first]]
        raise DeclarationError(
            "Services need each other in a circle: "
            + " -> ".join(member.cls.__qualname__ for member in [*members, members[0]])
            + ", so none of them can start first.",
            [member.party for member in members],
            "Take one field of the circle out, or hand that value over after the start.",
        )
