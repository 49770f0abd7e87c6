"""Whether each parameter has a fixture, and one that lives long enough: asked on every collection.

pytest tells of both when the test is set up, one test at a time. Does not look at types (`checking` does), nor at
what services and their annotations ask for (`service_errors` does).

Invariants:
1. It costs a look at the names of each test, and a walk for those of one module that use the same fixtures.
2. What is missing because its own declaration is wrong is not told beside that.
3. A test that is marked to be skipped or to fail may ask for what there is not.
"""

import difflib
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, final

import pytest
from typing_extensions import is_protocol

from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.registering import Registry
from looprig.pytest_plugin.targets import undeclared, unresolved

__all__ = ["Existence"]

_REQUEST: Final = "request"  # pytest answers it without a definition
_EXCUSES: Final = frozenset({"skip", "skipif", "xfail"})


@final
class Existence:
    """What was found out in one collection."""

    def __init__(self, registry: Registry, broken: Container[str]) -> None:
        self._registry = registry
        self._broken = broken
        self._seen: set[object] = set()
        self._told: set[tuple[Callable[..., Any], str]] = set()

    def errors(self, items: Iterable[pytest.Item]) -> Iterator[DeclarationError]:
        """The parameters that no fixture answers, or one that ends too soon."""
        for item in items:
            if isinstance(item, pytest.Function):
                yield from self._errors(item)

    def _errors(self, item: pytest.Function) -> Iterator[DeclarationError]:
        info = _compat.fixture_info(item)
        names = info.names_closure
        by_name = info.name2fixturedefs
        implied = self._registry.implied
        is_whole = all(name in by_name or name == _REQUEST for name in names)
        if is_whole and implied:
            asked = self._registry.asked_by(item.obj)
            is_whole = all(name == _REQUEST or name in asked or by_name[name][-1] not in implied for name in names)
        key = (item.parent, *names)
        if is_whole and key in self._seen:
            return
        if not _EXCUSES.isdisjoint(mark.name for mark in item.iter_markers()):
            return
        self._seen.add(key)
        for user, name, answer in _compat.requests(info):
            is_meant = answer not in implied or self._is_asked(name, user, item)
            found = answer if is_meant else None
            asking = (item.obj if user is None else user.func, name)
            error = None
            if found is None and name != _REQUEST and name not in self._broken:
                error = self._missing(user, name, item)
            elif found is not None and user is not None:
                error = self._too_narrow(user, found, item)
            if error is not None and asking not in self._told:
                self._told.add(asking)
                yield error

    def _is_asked(self, name: str, user: Definition | None, item: pytest.Function) -> bool:
        """Whether somebody in the closure of a test asks for what an annotation made of a name."""
        info = _compat.fixture_info(item)
        functions = [item.obj, *(each.func for found in info.name2fixturedefs.values() for each in found)]
        return user is not None or any(name in self._registry.asked_by(function) for function in functions)

    def _missing(self, user: Definition | None, name: str, item: pytest.Function) -> DeclarationError | None:
        if user is not None and (self._registry.is_service(user) or self._registry.target(user) is not None):
            return None
        function = item.obj if user is None else user.func
        annotation = dict(self._registry.annotations.of(function)).get(name)
        if annotation is not None and (error := undeclared(annotation, function, name)) is not None:
            return error
        label = (item.originalname or item.name) if user is None else user.argname
        is_parameter = user is not None or name in _compat.argument_names(item)
        what = f"{label} {'asks for' if is_parameter else 'uses'} {name!r}, but there is no such fixture"
        fix = self._fix(annotation, name, item, function)
        if user is not None and user.argname == name:
            what += " that it could override"
            fix = f"Add the fixture {name!r} that it overrides, or take the parameter out."
        elif user is not None and (found := _compat.definitions_in_item(item, name)):
            what = f"{label} asks for {name!r}, which needs {label} itself: neither can be set up first"
            return DeclarationError(
                f"{what}.",
                [(label, location_of(function)), (name, location_of(found[-1].func))],
                "Take one of the parameters out.",
                "declaration",
                name,
            )
        parties = [(label, location_of(function))]
        if user is not None:
            parties.append((item.name, location_of(item.obj)))
        return DeclarationError(f"{what}.", parties, fix, "fixture-missing", name)

    def _fix(self, annotation: Any, name: str, item: pytest.Function, function: Any) -> str:
        if annotation is None and (text := unresolved(function, name)) is not None:
            return (
                f"{name} is annotated with {text}, which does not exist at run time: import what it names outside of "
                "`if TYPE_CHECKING`, and it can answer the parameter."
            )
        if isinstance(annotation, type) and is_protocol(annotation):
            providers = [spec for spec in self._registry.living_services() if annotation in spec.provides]
            if providers:
                shown = _or([f"{name}: {spec.cls.__qualname__}" for spec in providers])
                return f"{annotation.__qualname__} is a Protocol. Ask for a service that provides it: {shown}."
        named = (spec for spec in self._registry.living_services() if spec.name == name)
        root = item.config.rootpath
        if (spec := next((spec for spec in named if Path(spec.location.path).is_relative_to(root)), None)) is not None:
            cls = spec.cls.__qualname__
            return f"The service {cls} ({spec.location}) has that name: annotate it, {name}: {cls}, or import {cls}."
        close = difflib.get_close_matches(name, (each for each in _compat.visible_names(item) if each != name), n=3)
        return f"Did you mean {_or([repr(each) for each in close])}?" if close else f"Add a fixture {name!r}."

    def _too_narrow(self, user: Definition, found: Definition, item: pytest.Function) -> DeclarationError | None:
        registry = self._registry
        own, narrow = _compat.parametrized_scope(item, user), _compat.parametrized_scope(item, found)
        if narrow >= own or _compat.gives_parameter(found):
            return None
        # What they ask for, and who asks for them, is told with the words that are theirs.
        if any(registry.is_service(each) or registry.target(each) is not None for each in (user, found)):
            return None
        return DeclarationError(
            f'{user.argname} (scope "{own}") needs {found.argname} (scope "{narrow}"), which ends first.',
            [(user.argname, location_of(user.func)), (found.argname, location_of(found.func))],
            f'Widen {found.argname} to scope="{own}", or narrow {user.argname} to scope="{narrow}".',
            "fixture-scope",
            found.argname,
        )


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
