"""The check of services, and of requests for them, that depends on the test that uses them.

Uses the fixtures that pytest resolved for the test: a service may work in one folder and lack a fixture in the next.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import is_protocol

from looprig.declare.annotations import annotations_of
from looprig.declare.fields import Source, check_generic
from looprig.declare.hints import hints_of
from looprig.declare.proxy import is_proxy, stands_before
from looprig.declare.service import ServiceSpec, same_class, spec_of
from looprig.exceptions import DeclarationError, LooprigError
from looprig.location import Location, location_of
from looprig.pytest_plugin._compat.closures import argument_names, definitions_in_item
from looprig.pytest_plugin._compat.scopes import scope_of
from looprig.pytest_plugin.checks.annotations import could_be_service, fits, how_to_declare, undeclared
from looprig.pytest_plugin.checks.in_thread import on_a_loop
from looprig.pytest_plugin.checks.members import no_address_behind, no_url_of
from looprig.pytest_plugin.collection.annotations import Target, asks_nothing, target_of, unwrapped
from looprig.pytest_plugin.collection.proxies import VisibleProxies

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.checks.item_errors import Found
    from looprig.pytest_plugin.collection.collected import Collected, Group
    from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["wrong_services"]


def wrong_services(collected: Collected) -> Found:
    """Yield the errors in services, and in the tests and fixtures that request them."""
    registry = collected.registry
    for group in collected.groups:
        for error in _of_fixtures(registry, group):
            yield error, group.tests
        for test in group.tests:
            if test.obj is not None and (registry.asked or not (group.is_left or asks_nothing(test.obj))):
                for error in _of_test(registry, test):
                    yield error, (test,)


def _of_test(registry: Registry, item: pytest.Function) -> Iterator[LooprigError]:
    """Yield the errors in the parameters of a test."""
    function = item.obj
    annotations = registry.annotations.of(function)
    if annotations:
        yield from _unanswered(annotations, item)
        yield from _of_annotations(registry, annotations, function, item)
        try:
            check_generic(annotations, (item.originalname or item.name, location_of(function)))
        except DeclarationError as error:
            yield error
    if registry.asked:
        yield from _mixed_up(registry, function, item.name, item)


def _of_fixtures(registry: Registry, group: Group) -> Iterator[LooprigError]:
    """Yield the errors in the fixtures that tests use."""
    item = group.tests[0]
    for definition, requested in group.fixtures:
        spec, target = registry.spec(definition), registry.target(definition)
        missing = no_address_behind(spec) if spec is not None else no_url_of(target) if target is not None else None
        if missing is not None:
            yield missing
        if spec is not None:
            if spec.in_thread:
                yield from on_a_loop(registry, spec, item)
            for source in registry.fixtures.sources(spec):
                if source.service is None and source.fixture in definition.argnames:
                    yield from _of_source(registry, spec, source, item)
        elif target is None and any(registry.target(each) is not None for each in requested):
            annotations = registry.annotations.of(definition.func)
            yield from _of_annotations(registry, annotations, definition.func, item, own=definition.argname)
            yield from _mixed_up(registry, definition.func, definition.argname, item)
            yield from _too_narrow(registry, definition, item)


def _unanswered(annotations: Sequence[tuple[str, Any]], item: pytest.Function) -> Iterator[LooprigError]:
    """Yield an error for each parameter of a test that no fixture provides, although it seems to mean a service."""
    for name, annotation in annotations:
        if name in argument_names(item) and not definitions_in_item(item, name):
            error = undeclared(annotation, item.obj, name)
            if error is not None:
                yield error


def _of_annotations(
    registry: Registry,
    annotations: Sequence[tuple[str, Any]],
    function: Any,
    item: pytest.Function,
    *,
    own: str = "",
) -> Iterator[LooprigError]:
    """Yield an error for each parameter whose fixture is another service than the one in its annotation.

    A parameter called `own` is not checked: it is the fixture that the requesting fixture overrides.
    """
    asked = registry.asked_by(function)
    for name, annotation in annotations:
        if name in asked or name == own:
            continue
        found = definitions_in_item(item, name)
        # If it isn't a service, it is the suite's own fixture, whose type is left to type checkers.
        known = registry.target(found[-1]) if found and found[-1] not in registry.implied else None
        if known is not None and not fits(known, annotation):
            yield _mismatch(function, name, _wanted(registry, annotation, function, item), known)


def _wanted(registry: Registry, annotation: Any, function: Any, item: pytest.Function) -> Any:
    try:
        return target_of(annotation, VisibleProxies(registry, function, item)) or annotation
    except DeclarationError:  # add a hint about proxies, since the annotation names none
        return annotation


def _mixed_up(registry: Registry, function: Any, user: str, item: pytest.Function) -> Iterator[LooprigError]:
    """Yield an error for each name that means one service by annotation, and another one in this test."""
    for name, target in registry.asked_by(function).items():
        found = definitions_in_item(item, name)
        known = registry.target(found[-1]) if found else None
        if known is not None and known.key != target.key:
            yield DeclarationError(
                f"{user} takes {name} as {target}, but in {item.name} {name!r} is {known}: one name, two services.",
                _once((user, location_of(function)), (item.name, location_of(item.obj)), target.party, known.party),
                f"Give the parameter {name!r} of {user} another name.",
            )


def _too_narrow(registry: Registry, definition: Definition, item: pytest.Function) -> Iterator[LooprigError]:
    """Yield an error for each service or client that a fixture of the suite requests and that ends before it."""
    own = scope_of(definition)
    for name in definition.argnames:
        found = definitions_in_item(item, name)
        target = registry.target(found[-1]) if found else None
        if target is None or (narrow := scope_of(found[-1])) >= own:
            continue
        service = target.spec.cls.__qualname__
        fix = f'Widen {service} to scope="{own}", or narrow {definition.argname} to scope="{narrow}".'
        if target.client:
            take = f"take {service} itself in {definition.argname}, and open a client there: "
            take += f"`async with TestClient(...) as {name}`."
            fix = f"{fix} If you widen {service}, {take}" if target.spec.scope < own else f"T{take[1:]}"
        if is_proxy(target.spec.cls) and spec_of(target.spec.cls) is None:
            before = stands_before(target.spec.cls).__qualname__
            fix = (
                f'Declare a proxy that lives as long: @proxy_fixture(scope="{own}") on '
                f"`class {before}Proxy({service})`."
            )
        yield DeclarationError(
            f'{definition.argname} (scope "{own}") needs {target} (scope "{narrow}"), which ends first.',
            [(definition.argname, location_of(definition.func)), target.party],
            fix,
            "fixture-scope",
            name,
        )


def _of_source(registry: Registry, spec: ServiceSpec, source: Source, item: pytest.Function) -> Iterator[LooprigError]:
    """Yield the errors in a field that a fixture provides: it must exist, live long enough, and have the right type."""
    owner = spec.cls.__qualname__
    visible = definitions_in_item(item, source.fixture)
    if not visible:
        if not _is_late(registry, spec, source):
            yield _missing(spec, source, item)
        return
    found = visible[-1]
    party = (found.argname, location_of(found.func))
    known = registry.target(found)
    if known is not None:
        party = known.party
    narrow = scope_of(found) if known is None or known.client else known.fixture.scope
    if narrow < (spec.scope if known is not None else spec.scope.in_pytest):
        fix = f'Widen {found.argname} to scope="{spec.scope}", or narrow {owner} to scope="{narrow}".'
        if not source.required:
            fix += f"\nField {source.field} has a default, but a fixture of its name takes precedence."
        yield DeclarationError(
            f'{spec.label} needs {found.argname} (scope "{narrow}"), which ends first.',
            [spec.party, party],
            fix,
            "fixture-scope",
            source.field,
        )
    expected = source.expected
    if known is not None and expected is not None:
        given = known.spec.cls
        if known.client or not any(same_class(base, expected.cls) for base in given.__mro__):
            yield DeclarationError(
                f"{owner}.{source.field} declares {expected.cls.__qualname__}, but fixture {found.argname!r} provides "
                f"{known}.",
                [spec.party, known.party, expected.party],
                f"Annotate it as {given.__qualname__}, or name another fixture.",
                "fixture-type",
                source.field,
            )


def _is_late(registry: Registry, spec: ServiceSpec, source: Source) -> bool:
    """Return whether the service for a field was imported too late. `declarations` reports that."""
    with suppress(DeclarationError):
        return any(source is late for late, _ in registry.fixtures.late_services(spec))
    return False


def _mismatch(function: Any, name: str, wanted: Any, known: Target) -> DeclarationError:
    qualname = getattr(function, "__qualname__", repr(function))
    shown = getattr(wanted, "__qualname__", str(wanted))
    parties = [(qualname, location_of(function)), known.party]
    if isinstance(wanted, Target):
        shown = str(wanted)
        parties.append(wanted.party)
    return DeclarationError(
        f"{qualname} declares {name}: {shown}, but fixture {name!r} provides {known}.",
        _once(*parties),
        f"Annotate it as {known}, or give the parameter a name that no fixture has.",
        "fixture-type",
        name,
    )


def _once(*parties: tuple[str, Location]) -> list[tuple[str, Location]]:
    """Return parties without those at the place of an earlier one: a client, for example, is where its service is."""
    places: dict[Location, str] = {}
    for name, location in parties:
        places.setdefault(location, name)
    return [(name, location) for location, name in places.items()]


def _missing(spec: ServiceSpec, source: Source, item: pytest.Function) -> DeclarationError:
    owner = spec.cls.__qualname__
    wanted, _ = unwrapped(hints_of(spec.cls).get(source.field))
    parties = [spec.party]
    what = f"{owner}.{source.field} has no value: there is no fixture {source.fixture!r}"
    fix = f"Add a fixture {source.fixture!r}, give the field a default, or annotate it with a service."
    if source.fixture != source.field:
        fix = f"Add a fixture {source.fixture!r}, or correct the name in Fixture({source.fixture!r})."
        what += f", which Fixture({source.fixture!r}) names"
    elif not source.known:
        what += ", and its annotation cannot be resolved at run time"
        fix = f"Import the type of {source.field} outside of `if TYPE_CHECKING`, or add a fixture {source.fixture!r}."
    elif (generic := _without_brackets(spec.cls, source.field)) is not None:
        base = generic.__qualname__
        what = f"{owner}.{source.field} has no value: {owner} is derived from {base} without naming its service"
        fix = f"Name it in brackets: class {owner}({base}[...])."
    elif is_protocol(protocol := typing.get_origin(wanted) or wanted):
        what += f", and no service provides {protocol.__qualname__}"
        fix = (
            f"Declare a service with @service_fixture(provides={protocol.__qualname__}), and import it where {owner} "
            "is imported."
        )
    elif could_be_service(wanted):
        what += f", and {wanted.__qualname__} isn't a service"
        fix = how_to_declare(wanted)
        parties.append((wanted.__qualname__, location_of(wanted)))
    else:
        what += ", no service of its type, and no default"
    parties.append((item.name, location_of(item.obj)))
    return DeclarationError(f"{what}.", parties, fix, "fixture-missing", source.field)


def _without_brackets(cls: type, field: str) -> type | None:
    """Return the generic base class whose parameter is the type of a field, if it is derived from without brackets."""
    generic = next((base for base in cls.__mro__ if field in annotations_of(base)), object)
    if not isinstance(annotations_of(generic).get(field), typing.TypeVar):
        return None
    named = {typing.get_origin(base) for each in cls.__mro__ for base in vars(each).get("__orig_bases__", ())}
    return None if generic in named else generic
