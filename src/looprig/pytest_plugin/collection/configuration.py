"""Configuration by parametrization: the values of a parametrized name go to the service field of the same name.

    @pytest.mark.parametrize("page_size", [1, 100])
    async def test_pages(api: TestClient[Rest]) -> None: ...    # Rest has `page_size: int = 20`

Invariants:
1. Only fields that have a default and no fixture are configured. All others get their fixture, as parameters do.
   A field that an installed package declares, such as looprig's own `host`, is configured only in a service that the
   test requests itself, directly or by a client: not in everything that this depends on.
2. The values, ids, order and scope of a parametrization stay as they are. Only the service requests one more parameter,
   in the parametrized tests.
3. Any fixture that is wider than a test and depends on such a service has separate instances in these tests, so that no
   other test gets them from a cache.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.pytest_plugin._compat.closures import (
    Closure,
    closure_below,
    closure_of,
    definitions_in_item,
    replace_definitions,
)
from looprig.pytest_plugin._compat.parameters import gives_parameter, parameter_values
from looprig.pytest_plugin._compat.scopes import parametrized_scope, scope_of
from looprig.scopes import Scope

if TYPE_CHECKING:
    from looprig.declare.service import ServiceKey
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["configure_requested", "configured_by", "unreachable_fields"]


@contextmanager
def configured_by(registry: Registry, metafunc: pytest.Metafunc) -> Generator[None, None, None]:
    """Give the services of a test the values that it is parametrized with in this block.

    pytest accepts a parametrized name only if something requests it, so the name is added to the test's requests.
    """
    test, names = metafunc.definition, metafunc.fixturenames
    if registry.services.keys().isdisjoint(names):
        yield
        return
    added: list[str] = []
    if wanted := [name for name in _in_marks(test) if name not in names]:
        requested = _requested(registry, test, closure_of(test))
        fields = {
            field
            for definition in closure_of(test).used()
            for field in registry.fixtures.open_fields(definition, requested)
        }
        added = [name for name in wanted if name in fields]
        names += added
    yield
    closure = closure_of(test)
    parametrized = {name for name, found in closure.definitions.items() if gives_parameter(found[-1])}
    for name in added:
        if name not in parametrized:
            names.remove(name)
    if parametrized:
        replace_definitions(test, _replaced(registry, closure, parametrized, _requested(registry, test, closure)))


def configure_requested(registry: Registry, item: pytest.Function, name: str) -> None:
    """Give parametrized values to the services that a test requests at run time, as `configured_by` does.

    Raises:
        DeclarationError: a service has a wider scope than the values of its field.
    """
    given = parameter_values(item)
    parametrized = {name for name in given if any(map(gives_parameter, definitions_in_item(item, name)[-1:]))}
    if parametrized:
        closure = closure_below(item, name)
        requested = _requested(registry, item, closure)
        replaced = _replaced(registry, closure, parametrized, requested)
        for definition in closure.used():
            for error in _unreachable(registry, item, replaced.get(definition, definition), requested):
                raise error
        replace_definitions(item, replaced, closure)


def unreachable_fields(registry: Registry, test: pytest.Function, definition: Definition) -> Iterator[DeclarationError]:
    """Yield an error for each field with parametrized values whose scope is narrower than that of the service."""
    if parameter_values(test) and registry.is_service(definition):
        yield from _unreachable(registry, test, definition, _requested(registry, test, closure_of(test)))


def _unreachable(
    registry: Registry, test: pytest.Function, definition: Definition, requested: Collection[ServiceKey]
) -> Iterator[DeclarationError]:
    given = parameter_values(test)
    for field in registry.fixtures.open_fields(definition, requested):
        values = definitions_in_item(test, field) if field in given else ()
        if values and gives_parameter(values[-1]):
            yield _too_wide(registry, test, definition, field, parametrized_scope(test, values[-1]))


def _too_wide(
    registry: Registry, test: pytest.Function, definition: Definition, field: str, narrow: Scope
) -> DeclarationError:
    spec = registry.services[definition.argname]
    name, service = test.originalname or test.name, spec.cls.__qualname__
    wider = "" if spec.scope >= Scope.SESSION else f'parametrize with scope="{spec.scope}", or '
    return DeclarationError(
        f'{name} is parametrized over {field} (scope "{narrow}"), but that is a field of {spec.label}, which other '
        "tests share, so the field's value can't change between them.",
        [(name, location_of(test.obj)), spec.party],
        f'Narrow {service} to scope="{narrow}", or {wider}give the parameter a name that isn\'t a field of {service}.',
        "fixture-scope",
        field,
    )


def _in_marks(test: pytest.Function) -> Iterator[str]:
    """Yield the names in the test's `parametrize` marks, except indirect ones."""
    for mark in test.iter_markers("parametrize"):
        names: Any = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
        indirect: Any = mark.kwargs.get("indirect", False)
        if isinstance(indirect, bool):
            indirect = names if indirect else ()
        yield from (name for name in names if name and name not in indirect)


def _requested(registry: Registry, test: pytest.Function, closure: Closure) -> set[ServiceKey]:
    """Return the services that a test itself requests: as parameters, by `usefixtures`, or at run time."""
    names = [*closure.arguments, *(name for mark in test.iter_markers("usefixtures") for name in mark.args)]
    if not closure.arguments and len(closure.initial) == 1:  # what is requested at run time
        names += closure.initial
    found: set[ServiceKey] = set()
    for name in names:
        for definition in closure.definitions.get(name, ())[-1:]:
            if (target := registry.target(definition)) is not None:
                found |= {target.fixture.key, target.spec.key}
            elif (spec := registry.spec(definition)) is not None:
                found.add(spec.key)
    return found


def _replaced(
    registry: Registry, closure: Closure, parametrized: Collection[str], requested: Collection[ServiceKey]
) -> dict[Definition, Definition]:
    """Return the definitions that a parametrized test has to replace, each with its replacement."""
    replaced: dict[Definition, Definition] = {}
    for definition, asked in closure.dependencies():
        scope = scope_of(definition)
        fields = frozenset(
            name
            for name in registry.fixtures.open_fields(definition, requested)
            if name in parametrized and scope_of(closure.definitions[name][-1]) >= scope
        )
        needs = frozenset(replaced[each] for each in asked if each in replaced)
        if fields or (needs and scope > Scope.FUNCTION):
            replaced[definition] = registry.fixtures.configured(definition, fields, needs)
    return replaced
