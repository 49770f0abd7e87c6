"""Where the value of each field of a service comes from.

In this order: `Annotated[T, Fixture("name")]`; T is a service class; T is a Protocol that exactly one service
provides; the fixture of the field's name. A field with a default and no such fixture is configuration, and
`field(init=False)` is state. Does not get the values, and knows of no pytest: it is told which fixtures there are.
"""

import dataclasses
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol, final

from looprig.declare.fields_meta import is_config
from looprig.declare.service import ServiceSpec, spec_of
from looprig.exceptions import DeclarationError
from looprig.location import location_of

__all__ = ["UNRESOLVED", "Fixture", "Source", "find_cycle", "hints_of", "resolve_fields"]

UNRESOLVED: Final = object()
"""Stands for the type of a field whose annotation names something that does not exist at run time."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Fixture:
    """Names the fixture that a field takes: `dsn: Annotated[str, Fixture("postgres_dsn")]`."""

    name: str


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """The field `field` takes its value from a service, or else from the fixture called `fixture`.

    `required` says that the field has no default, so that the fixture must exist.
    """

    field: str
    service: ServiceSpec | None
    fixture: str
    required: bool


def hints_of(cls: type) -> dict[str, Any]:
    """The types of a class's fields with their `Annotated` extras; `UNRESOLVED` where a name does not exist."""
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except (NameError, AttributeError):
        pass
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        namespace = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        for name, hint in base.__dict__.get("__annotations__", {}).items():
            try:
                hints[name] = eval(hint, namespace, dict(vars(base))) if isinstance(hint, str) else hint  # noqa: S307 - the user's own annotation, as typing.get_type_hints evaluates it
            except (NameError, AttributeError):
                hints[name] = UNRESOLVED
    return hints


def resolve_fields(
    spec: ServiceSpec, *, is_fixture: Callable[[str], bool], services: Callable[[], Iterable[ServiceSpec]]
) -> list[Source]:
    """The fields of a service that take their value from somewhere, in order.

    `is_fixture` says whether a field with a default is answered by a fixture of that name.

    Raises:
        DeclarationError: a Protocol is provided by several services, or a scope is too narrow.
    """
    hints = hints_of(spec.cls)
    sources: list[Source] = []
    for field in dataclasses.fields(spec.cls) if dataclasses.is_dataclass(spec.cls) else ():
        if not field.init or is_config(field):
            continue
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        source = _resolve(spec, field.name, hints.get(field.name, UNRESOLVED), required, is_fixture, services)
        if source is None:
            continue
        if source.service is not None:
            _check_scope(spec, source.service)
        sources.append(source)
    return sources


def _resolve(
    spec: ServiceSpec,
    name: str,
    hint: Any,
    required: bool,
    is_fixture: Callable[[str], bool],
    services: Callable[[], Iterable[ServiceSpec]],
) -> Source | None:
    base, fixture = _unwrapped(hint)
    if fixture is not None:
        return Source(name, None, fixture.name, required=True)
    service = spec_of(base)
    if service is None and isinstance(base, type) and _is_protocol(base):
        service = _provider(spec, name, base, services())
    if service is not None:
        return Source(name, service, service.name, required=True)
    if required or is_fixture(name):
        return Source(name, None, name, required)
    return None


def _unwrapped(hint: Any) -> tuple[Any, Fixture | None]:
    if typing.get_origin(hint) is typing.Annotated:
        base, *extras = typing.get_args(hint)
        return base, next((extra for extra in extras if isinstance(extra, Fixture)), None)
    return hint, None


def _is_protocol(cls: type) -> bool:
    return bool(getattr(cls, "_is_protocol", False)) and cls is not Protocol


def _provider(
    spec: ServiceSpec, field: str, protocol: type, services: Iterable[ServiceSpec]
) -> ServiceSpec | None:
    found = [service for service in services if protocol in service.provides]
    if len(found) > 1:
        raise DeclarationError(
            f"Field {field} of {spec.cls.__qualname__} takes a {protocol.__qualname__}, which "
            f"{len(found)} services provide.",
            [spec.party, (protocol.__qualname__, location_of(protocol)), *(service.party for service in found)],
            f"Name the one you mean: the class itself, or Annotated[{protocol.__qualname__}, "
            f'Fixture("{found[0].name}")].',
        )
    return found[0] if found else None


def _check_scope(spec: ServiceSpec, needed: ServiceSpec) -> None:
    if needed.scope < spec.scope:
        raise DeclarationError(
            f"{spec.label} needs {needed.label}, which ends first.",
            [spec.party, needed.party],
            f'Widen {needed.cls.__qualname__} to scope="{spec.scope}", or narrow {spec.cls.__qualname__} to '
            f'scope="{needed.scope}".',
        )


def find_cycle(spec: ServiceSpec, needs: Callable[[ServiceSpec], Iterable[ServiceSpec]]) -> None:
    """Looks for a way from a service back to itself.

    Raises:
        DeclarationError: there is one; all of it is shown.
    """
    path: list[ServiceSpec] = []
    done: set[tuple[str, str]] = set()

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
        raise DeclarationError(
            "Services need each other in a circle: "
            + " -> ".join(member.cls.__qualname__ for member in cycle)
            + ", so none of them can start first.",
            [member.party for member in cycle[:-1]],
            "Take one field of the circle out, or hand that value over after the start.",
        )
