"""The edges of a collected suite: from each parameter, and each field of a service, to the fixture that provides it.

Does not check their types (`looprig.check` does) and reports nothing (`type_check` does).

Invariants:
1. Edges come from the fixtures that pytest resolved for a test, so overrides and parametrizations are those of a run. A
   fixture that no test uses gets a stand-in test where it is defined (`unreached`).
2. A parameter that gets its service by its annotation has no edge: its type is right by construction.
3. An edge is collected once, however many tests share it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, final

import pytest

from looprig.check.edges import Code, Edge
from looprig.check.module import Unread
from looprig.check.output import shown_place
from looprig.check.source import Spot
from looprig.check.typetext import Known, TypeText
from looprig.check.values import Value
from looprig.declare.service import ServiceSpec
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin._compat.parameters import gives_parameter, is_no_value, parameter_values, plain_parameter
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.inspect.types import FixtureTypes, Given, code_of, known

__all__ = ["FixtureEdges"]

_LAZY: Final = frozenset({"pytest_lazy_fixtures", "pytest_lazyfixture"})
"""Plugins whose values stand for fixtures."""
_REQUEST: Final = "request"


@final
@dataclass(frozen=True, slots=True)
class _Asked:
    """The type that a parameter or field declares, and where."""

    user: str
    name: str
    type: TypeText
    spot: Spot


@final
class FixtureEdges:
    """The edges, and those that no type checker can check."""

    def __init__(
        self, root: Path, registry: Registry, types: FixtureTypes, is_own: Callable[[str], bool], *, overrides: bool
    ) -> None:
        """Start without edges. `is_own` says whether a file is the suite's: plugins are not checked."""
        self.edges: list[Edge] = []
        self.unread: list[Unread] = []
        self.silent: int = 0
        """The number of parameters without an annotation."""
        self._is_own = is_own
        self._root = root
        self._registry = registry
        self._types = types
        self._overrides = overrides
        self._providers: dict[Definition, str] = {}
        self._seen: set[object] = set()
        self._below: Mapping[str, Definition] = {}

    def collect(self, items: Iterable[pytest.Item], stand_ins: Mapping[Definition, pytest.Function]) -> None:
        """Collect the edges of all tests, and of all fixtures and services, used or not."""
        for item in items:
            if isinstance(item, pytest.Function):
                self._types.function(item.obj)  # also records its file, which is searched for suppressions
                self._collect(item)
        by_name: dict[str, list[Definition]] = {}
        for definition in stand_ins:
            by_name.setdefault(definition.argname, []).append(definition)
        # A fixture may request one that is defined further down. If several are, it isn't known which one is meant.
        self._below = {name: found for name, (found, *others) in by_name.items() if not others}
        for definition, stand_in in stand_ins.items():
            self._types.gives(definition)  # records the fixtures without a type
            self._collect(stand_in)
            for value in definition.params or ():
                self._indirect_value(stand_in, definition, plain_parameter(value))
        for spec in self._registry.fixtures.living_services():
            self._provides(spec)

    def _collect(self, item: pytest.Function) -> None:
        values = parameter_values(item)
        for user, name, seen in closure_of(item).requests():
            self._count_silent(item if user is None else user, name)
            found = seen or self._below.get(name)
            if found is None:
                if name == _REQUEST:
                    self._request(item, user)
            elif gives_parameter(found):
                if not is_no_value(values[name]):
                    self._value(item, user, name, values[name])
            else:
                if name in values:
                    self._indirect_value(item, found, values[name])
                self._fixture(item, user, name, found)
                if self._overrides:
                    self._override(item, name)

    def _is_new(self, *key: object) -> bool:
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    # Parameters

    def _count_silent(self, user: Definition | pytest.Function, name: str) -> None:
        function = user.obj if isinstance(user, pytest.Function) else user.func
        if self._is_new("silent", code_of(function), name):
            spot = self._types.unannotated(function, name)
            self.silent += spot is not None and self._is_own(spot.path)

    def _asked(self, item: pytest.Function, user: Definition | None, name: str) -> _Asked | None:
        declared = self._types.parameter(item.obj if user is None else user.func, name)
        if declared is None or not self._is_own(declared[1].path):
            return None
        return _Asked(self._label(item, user), name, *declared)

    def _fixture(self, item: pytest.Function, user: Definition | None, name: str, found: Definition) -> None:
        if user is not None and (spec := self._registry.spec(user)) is not None:
            self._fields(spec, found)
            return
        function = item.obj if user is None else user.func
        if name in self._registry.asked_by(function):
            return
        if self._is_new(code_of(function), name, found) and (asked := self._asked(item, user, name)) is not None:
            self._add("fixture-type", asked, self._types.gives(found), self._provider(found))

    def _request(self, item: pytest.Function, user: Definition | None) -> None:
        function = item.obj if user is None else user.func
        if self._is_new(code_of(function), _REQUEST) and (asked := self._asked(item, user, _REQUEST)) is not None:
            given = Known("_pytest.fixtures", "FixtureRequest" if user is None else "SubRequest")
            self._add("fixture-type", asked, Given(given), f'fixture "{_REQUEST}"')

    def _value(self, item: pytest.Function, user: Definition | None, name: str, value: object) -> None:
        """Collect the edge of a value of a direct parametrization."""
        spec = None if user is None else self._registry.spec(user)
        if spec is not None:
            asked = self._configured(item, spec, name)
            key: object = (spec.key, code_of(item.obj))
        else:
            asked = self._asked(item, user, name)
            key = code_of(item.obj if user is None else user.func)
        if not self._is_new(key, name, *_identity(value)):
            return
        if asked is not None and type(value).__module__.partition(".")[0] in _LAZY:
            self._add("parametrize-type", asked, Given(None, why="a lazy fixture"), "")
        elif asked is not None:
            provider = "its parametrization" if user is None else f"the parametrization of {self._label(item, None)}"
            self._add("parametrize-type", asked, Given(Value(value)), provider)

    def _indirect_value(self, item: pytest.Function, found: Definition, value: object) -> None:
        """Collect the edges of a value of `request.param`, if the fixture declares a type for that."""
        is_own = found.params is not None and found.argname not in _parametrized_by_marks(item)
        user = f'fixture "{found.argname}"'
        provider = "its parametrization" if is_own else f"the parametrization of {self._label(item, None)}"
        if not self._is_new(code_of(found.func), None if is_own else code_of(item.obj), *_identity(value)):
            return
        if type(value).__module__.partition(".")[0] in _LAZY:
            return
        for name, declared, spot in self._types.typed_params(found.func):
            # Point at the test that passes the value, not at the fixture.
            place = spot if is_own else self._place(item, found.argname) or spot
            if not self._is_own(place.path):
                continue
            self._add("parametrize-type", _Asked(user, name, declared, place), Given(Value(value)), provider)

    def _place(self, item: pytest.Function, name: str) -> Spot | None:
        """Return the place where a test names a parameter, or else that of the test."""
        found = self._types.function(item.obj)
        if found is None:
            return None
        source, written = found
        argument = written.parameter(name)
        named = (source.spot_of_text(each, name) for each in written.node.decorator_list)
        return source.spot(argument) if argument is not None else next(filter(None, named), source.spot(written.node))

    # Services

    def _fields(self, spec: ServiceSpec, found: Definition) -> None:
        for source in self._registry.fixtures.sources(spec):
            is_its = source.service is None and not source.config and source.fixture == found.argname
            if is_its and self._is_new(spec.key, source.field, found):
                declared = self._types.field(spec, source.field)
                if declared is not None:
                    asked = _Asked(f'service "{spec.cls.__qualname__}"', source.field, *declared)
                    self._add("fixture-type", asked, self._types.gives(found), self._provider(found))

    def _configured(self, item: pytest.Function, spec: ServiceSpec, field: str) -> _Asked | None:
        """Return the type of a field to which a test gives values. The place to mend is that test, not the field."""
        declared = self._types.field(spec, field)
        spot = self._place(item, field)
        if declared is None or spot is None or not self._is_own(spot.path):
            return None
        return _Asked(f'service "{spec.cls.__qualname__}"', field, declared[0], spot)

    def _provides(self, spec: ServiceSpec) -> None:
        for declared, spot in self._types.provides(spec) if self._is_own(spec.location.path) else ():
            service = f'service "{spec.cls.__qualname__}"'
            self._add("provides-type", _Asked(service, "", declared, spot), Given(known(spec)), service)

    # Overrides

    def _override(self, item: pytest.Function, name: str) -> None:
        for base, override in pairwise(closure_of(item).definitions.get(name, ())):
            if gives_parameter(override) or not self._is_new("override", base, override):
                continue
            found, before = self._types.function(override.func), self._types.gives(base)
            if found is not None and before.type is not None and self._is_own(found[0].path):
                node = found[1].node
                spot = found[0].spot(node.returns or node)
                asked = _Asked(f'fixture "{name}"', name, before.type, spot)
                self._add("override-type", asked, self._types.gives(override), self._provider(base), before)

    # Words

    def _add(self, code: Code, asked: _Asked, given: Given, provider: str, before: Given | None = None) -> None:
        unwrap = "value" if before is None else before.unwrap
        edge = Edge(
            code,
            asked.user,
            asked.name,
            asked.spot,
            asked.type,
            given.type or asked.type,
            provider,
            given.unwrap,
            unwrap,
        )
        if given.type is None:
            self.unread.append(Unread(edge, given.why))
        else:
            self.edges.append(edge)

    @staticmethod
    def _label(item: pytest.Function, user: Definition | None) -> str:
        return f'test "{item.originalname or item.name}"' if user is None else f'fixture "{user.argname}"'

    def _provider(self, definition: Definition) -> str:
        if (found := self._providers.get(definition)) is not None:
            return found
        target = self._registry.target(definition)
        location = location_of(definition.func) if target is None else target.spec.location
        name = self._registry.public_name(definition)
        place = f"{shown_place(location.path, self._root)}:{location.line}"
        found = self._providers[definition] = f'fixture "{name}" ({place})'
        return found


def _parametrized_by_marks(item: pytest.Function) -> set[str]:
    found: set[str] = set()
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        found.update(names.replace(",", " ").split() if isinstance(names, str) else names)
    return found


def _identity(value: object) -> tuple[object, ...]:
    kind = type(value)
    return kind, value if kind in {int, str, bool, bytes, float, type(None)} else id(value)
