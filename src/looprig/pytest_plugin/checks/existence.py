"""The check that each parameter has a fixture, and that the fixture lives long enough.

In a run, pytest reports both when it sets a test up, and this module adds hints to its reports. If no test is run, this
module reports them itself. Does not look at types (`inspect` does), nor at the fields and annotations of services
(`services` does).

Invariants:
1. In a run, nothing is computed until pytest reports a missing fixture.
2. A fixture that is missing because its declaration is broken is reported once.
3. When no test is run, a test marked `skip`, `skipif` or `xfail` may request fixtures that don't exist.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import pytest
from typing_extensions import is_protocol

from looprig.declare.annotations import parameters_of
from looprig.declare.proxy import is_proxy
from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition, visible_definitions, visible_names
from looprig.pytest_plugin._compat.closures import argument_names, closure_of, definitions_in_item
from looprig.pytest_plugin._compat.parameters import gives_parameter
from looprig.pytest_plugin._compat.scopes import parametrized_scope
from looprig.pytest_plugin.checks.annotations import undeclared, unresolved
from looprig.pytest_plugin.checks.members import declares_url, no_url_of
from looprig.pytest_plugin.collection.annotations import Target

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.item_errors import Found
    from looprig.pytest_plugin.collection.collected import Collected
    from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["Existence", "missing_fixtures", "misunderstood_names"]

_REQUEST: Final = "request"  # pytest provides it without a definition
_MOST: Final = 3
"""The number of services that a message lists at most."""
_EXCUSES: Final = frozenset({"skip", "skipif", "xfail"})


def missing_fixtures(collected: Collected) -> Found:
    """Yield an error for each parameter of any test without a fixture, or whose fixture ends too soon."""
    return Existence(collected.registry, collected.is_broken).missing(collected.items)


def misunderstood_names(collected: Collected) -> Found:
    """Yield an error for each parameter that would get a service only because another test annotates its name so."""
    implied = collected.registry.implied
    if not implied:
        return
    existence = Existence(collected.registry, collected.is_broken)
    for item in collected.items:
        if isinstance(item, pytest.Function):
            for _, found, error in existence.of_closure(item):
                if found in implied:
                    yield error, (item,)


@final
class Existence:
    """The fixtures of one collection. `is_broken` says whether a declaration that is reported explains a request."""

    def __init__(self, registry: Registry, is_broken: Callable[[str, Any, pytest.Item], bool]) -> None:
        self._registry = registry
        self._is_broken = is_broken

    def missing(self, items: Iterable[pytest.Item]) -> Found:
        """Yield an error for each parameter of these tests without a fixture, or whose fixture ends too soon."""
        reported: set[tuple[Callable[..., Any], str]] = set()
        for item in items:
            is_excused = not _EXCUSES.isdisjoint(mark.name for mark in item.iter_markers())
            if isinstance(item, pytest.Function) and not is_excused:
                for parameter, _, error in self.of_closure(item):
                    if parameter not in reported:
                        reported.add(parameter)
                        yield error, (item,)

    def hints(self, item: pytest.Function) -> list[DeclarationError]:
        """Return additions to pytest's report of a fixture that it did not find, or that is too narrow.

        There are none if the fixture just doesn't exist: pytest's own report says so.
        """
        return [
            error
            for (_, name), found, error in self.of_closure(item)
            if name not in item.funcargs and (self._registry.services or (found is None and error.fix != _add(name)))
        ]

    def of_closure(
        self, item: pytest.Function
    ) -> Iterator[tuple[tuple[Callable[..., Any], str], Definition | None, DeclarationError]]:
        """Yield who requests what, the definition that pytest would use, and what is wrong with it."""
        implied = self._registry.implied
        for user, name, answer in closure_of(item).requests():
            is_meant = answer not in implied or self._is_asked(name, user, item)
            found = answer if is_meant else None
            function = item.obj if user is None else user.func
            error = None
            if found is None and name != _REQUEST and not self._is_broken(name, function, item):
                error = self._missing(user, name, item)
            elif found is not None and user is not None:
                error = self._too_narrow(user, found, item)
            if error is not None:
                yield (function, name), answer, error

    def _is_asked(self, name: str, user: Definition | None, item: pytest.Function) -> bool:
        """Return whether a fixture requests the name, or a function in the test's closure requests it by annotation."""
        info = closure_of(item)
        functions = [item.obj, *(each.func for found in info.definitions.values() for each in found)]
        return user is not None or any(name in self._registry.asked_by(function) for function in functions)

    def _missing(self, user: Definition | None, name: str, item: pytest.Function) -> DeclarationError | None:
        if user is not None and self._registry.is_of_service(user):
            return None
        function = item.obj if user is None else user.func
        annotation = dict(self._registry.annotations.of(function)).get(name)
        if annotation is not None and (error := undeclared(annotation, function, name)) is not None:
            return error
        label = (item.originalname or item.name) if user is None else user.argname
        is_parameter = user is not None or name in argument_names(item)
        what = f"{label} {'asks for' if is_parameter else 'uses'} {name!r}, but there is no such fixture"
        fix = self._fix(annotation, name, item, function)
        if user is not None and user.argname == name:
            what += " that it could override"
            fix = f"Add the fixture {name!r} that it overrides, or remove the parameter."
        elif user is not None and (found := definitions_in_item(item, name)):
            what = f"{label} asks for {name!r}, which needs {label} itself: neither can be set up first"
            return DeclarationError(
                f"{what}.",
                [(label, location_of(function)), (name, location_of(found[-1].func))],
                "Remove one of the parameters.",
                "declaration",
                name,
            )
        parties = [(label, location_of(function))]
        if user is not None:
            parties.append((item.name, location_of(item.obj)))
        return DeclarationError(f"{what}.", parties, fix, "fixture-missing", name)

    def _fix(self, annotation: Any, name: str, item: pytest.Function, function: Any) -> str:
        if name == "self":
            return "Remove the parameter, or indent the function into the class that it belongs to."
        if annotation is None and (text := unresolved(function, name)) is not None:
            return (
                f"{name} is annotated with {text}, which does not exist at run time. Import its names outside of "
                "`if TYPE_CHECKING`, so that looprig can find the service."
            )
        if isinstance(annotation, type) and is_protocol(annotation):
            providers = [spec for spec in self._registry.fixtures.living_services() if annotation in spec.provides]
            if providers:
                shown = _or([f"{name}: {spec.cls.__qualname__}" for spec in providers])
                return f"{annotation.__qualname__} is a Protocol. Ask for a service that provides it: {shown}."
            if self._registry.services:
                return f"{_add(name)} {annotation.__qualname__} is a Protocol, and no service provides it."
        named = (spec for spec in self._registry.fixtures.living_services() if spec.name == name)
        root = item.config.rootpath
        if (spec := next((spec for spec in named if Path(spec.location.path).is_relative_to(root)), None)) is not None:
            cls = spec.cls.__qualname__
            return f"The service {cls} ({spec.location}) has that name: annotate it, {name}: {cls}, or import {cls}."
        close = difflib.get_close_matches(name, (each for each in visible_names(item) if each != name), n=3)
        fix = f"Did you mean {_or([repr(each) for each in close])}?" if close else _add(name)
        is_client = annotation is None or (isinstance(annotation, type) and annotation.__name__.endswith("Client"))
        clients = self._clients(name, item) if is_client and name in parameters_of(function) else []
        return f"{fix} For a client of a service, annotate the parameter: {_or(clients)}." if clients else fix

    def _clients(self, name: str, item: pytest.Function) -> list[str]:
        """Return a parameter called `name`, annotated with clients of the services that are visible to a test."""
        seen = (
            target
            for spec in self._registry.services.values()
            for definition in visible_definitions(spec.name, item)
            if (target := self._registry.target(definition)) is not None
        )
        found = {target.spec.cls: target.spec for target in seen if not is_proxy(target.spec.cls)}
        with_url = [cls for cls, spec in found.items() if no_url_of(Target(spec, client=True)) is None]
        # A class that only mentions a `url` may mean that of another service.
        sure = [cls for cls in with_url if declares_url(cls)]
        return [f"{name}: TestClient[{cls.__qualname__}]" for cls in (sure or with_url)[:_MOST]]

    def _too_narrow(self, user: Definition, found: Definition, item: pytest.Function) -> DeclarationError | None:
        registry = self._registry
        own, narrow = parametrized_scope(item, user), parametrized_scope(item, found)
        if narrow >= own or gives_parameter(found):
            return None
        if registry.is_of_service(user) or registry.is_of_service(found):
            return None  # `services` reports those itself
        return DeclarationError(
            f'{user.argname} (scope "{own}") needs {found.argname} (scope "{narrow}"), which ends first.',
            [(user.argname, location_of(user.func)), (found.argname, location_of(found.func))],
            f'Widen {found.argname} to scope="{own}", or narrow {user.argname} to scope="{narrow}".',
            "fixture-scope",
            found.argname,
        )


def _add(name: str) -> str:
    return f"Add a fixture {name!r}."


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
