"""What one test asks for: its closure, its parameters, and what answers them."""

# What is private, and what pytest leaves untyped, is the business of this package.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pytest
from _pytest.compat import NOTSET
from _pytest.fixtures import (
    FuncFixtureInfo,
)
from _pytest.python import get_direct_param_fixture_func
from _pytest.unittest import TestCaseFunction

from looprig.pytest_plugin._compat.definitions import Definition, scope_of, visible_definitions
from looprig.scopes import Scope

__all__ = [
    "ambient_definitions",
    "argument_names",
    "closure",
    "definitions_in_item",
    "dependencies",
    "drop_autouse",
    "fixture_info",
    "gives_parameter",
    "insert_fixture_name",
    "is_no_value",
    "is_parametrized",
    "is_unittest",
    "own_parameters",
    "parameter_index",
    "parameter_values",
    "parametrized_indices",
    "parametrized_scope",
    "requests",
]


def fixture_info(item: pytest.Function) -> FuncFixtureInfo:
    """The closure of an item. Public is only `item.fixturenames`, which has no definitions."""
    return item._fixtureinfo


def argument_names(item: pytest.Function) -> tuple[str, ...]:
    """The parameters of a test that are fixtures; every async plugin reads this to call the test."""
    return item._fixtureinfo.argnames


def closure(info: FuncFixtureInfo) -> Iterator[Definition]:
    """Each definition in a closure, an overridden one too where its override asks for it.

    pytest resolves an override chain by how deep it is in it, at run time; this is the same walk, done ahead.
    """
    by_name = info.name2fixturedefs
    if all(len(definitions) == 1 for definitions in by_name.values()):
        for name in info.names_closure:
            if (found := by_name.get(name)) is not None:
                yield found[0]
        return
    kept = set(info.names_closure)
    seen: set[int] = set()
    depth: dict[str, int] = {}

    def walk(name: str) -> Iterator[Definition]:
        definitions = by_name.get(name, ()) if name in kept else ()
        index = depth.get(name, 0) + 1
        if index > len(definitions):
            return
        definition = definitions[-index]
        if id(definition) in seen:
            return
        seen.add(id(definition))
        yield definition
        depth[name] = index
        for argument in definition.argnames:
            yield from walk(argument)
        depth[name] = index - 1

    for name in (*info.initialnames, *info.names_closure):
        yield from walk(name)


def dependencies(info: FuncFixtureInfo) -> Iterator[tuple[Definition, tuple[Definition, ...]]]:
    """Each definition in a closure with those that it asks for itself; these come before it."""
    by_name = info.name2fixturedefs
    kept = set(info.names_closure)
    seen: set[Definition] = set()
    depth: dict[str, int] = {}
    found: list[tuple[Definition, tuple[Definition, ...]]] = []

    def walk(name: str) -> Definition | None:
        definitions = by_name.get(name, ()) if name in kept else ()
        index = depth.get(name, 0) + 1
        if index > len(definitions):
            return None
        definition = definitions[-index]
        if definition not in seen:
            seen.add(definition)
            depth[name] = index
            asked = tuple(other for argument in definition.argnames if (other := walk(argument)) is not None)
            depth[name] = index - 1
            found.append((definition, asked))
        return definition

    for name in (*info.initialnames, *info.names_closure):
        walk(name)
    return iter(found)


def requests(info: FuncFixtureInfo) -> Iterator[tuple[Definition | None, str, Definition | None]]:
    """Each parameter in a closure that a fixture has to answer: who has it, its name, and what answers it.

    `None` stands for the test itself, and for nothing that answers.
    """
    by_name = info.name2fixturedefs
    depth: dict[str, int] = {}
    seen: set[Definition] = set()

    def walk(user: Definition | None, name: str) -> Iterator[tuple[Definition | None, str, Definition | None]]:
        index = depth.get(name, 0) + 1
        definitions = by_name.get(name, ())
        found = definitions[-index] if index <= len(definitions) else None
        yield user, name, found
        if found is None or found in seen:
            return
        seen.add(found)
        depth[name] = index
        for argument in found.argnames:
            yield from walk(found, argument)
        depth[name] = index - 1

    for name in info.initialnames:
        yield from walk(None, name)


def gives_parameter(definition: Definition) -> bool:
    """Whether it stands for the values of a direct parametrization: pytest makes such a definition for each test."""
    return definition.func is get_direct_param_fixture_func


def is_no_value(value: object) -> bool:
    """Whether it is what pytest puts in place of a value where a parametrization has none: such a test is skipped."""
    return value is NOTSET


def parameter_values(item: pytest.Function) -> Mapping[str, object]:
    """The values that an item was made for, by the names that were parametrized."""
    callspec = getattr(item, "callspec", None)
    found: Mapping[str, object] = {} if callspec is None else callspec.params
    return found


def parametrized_scope(item: pytest.Item, definition: Definition) -> Scope:
    """The scope under which an item uses a definition: a parametrization's scope overrides the definition's."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and definition.argname in callspec.params:
        return Scope[callspec._arg2scope[definition.argname].name.upper()]
    return scope_of(definition)


def is_parametrized(item: pytest.Item, definition: Definition) -> bool:
    """Whether an item was made for one of several parameters of a definition."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and definition.argname in callspec.params


def is_unittest(item: pytest.Item) -> bool:
    """Whether the test is a method of a `unittest.TestCase`, which runs itself, async or not."""
    return isinstance(item, TestCaseFunction)


def parametrized_indices(item: pytest.Item, names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Which parameter of each of `names` an item was made for, by name and index; none where it was made for none."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return ()
    return tuple((name, callspec.indices[name]) for name in names if name in callspec.params)


def parameter_index(item: pytest.Item, name: str) -> int:
    """Which of the parameters of `name` an item was made for."""
    indices: dict[str, int] = getattr(item, "callspec").indices  # noqa: B009 - typed on private classes only
    return indices[name]


def definitions_in_item(item: pytest.Function, name: str) -> Sequence[Definition]:
    """The definitions of a name as one item sees them, direct parametrization included, the nearest last."""
    return item._fixtureinfo.name2fixturedefs.get(name) or visible_definitions(name, item)


def insert_fixture_name(item: pytest.Function, name: str, definition: Definition) -> None:
    """Has `name` set up for the item, ahead of all that is not wider: parametrized ones decide what is cached."""
    names = item.fixturenames
    by_name = item._fixtureinfo.name2fixturedefs
    if name in names:
        names.remove(name)
    own = scope_of(definition)
    for index, other in enumerate(names):
        found = by_name.get(other)
        if found is None or scope_of(found[-1]) <= own:
            names.insert(index, name)
            return
    names.append(name)


def drop_autouse(item: pytest.Function, is_unwanted: Callable[[Definition], bool]) -> None:
    """Take autouse fixtures, and what only they need, out of what a test uses, if it does not name them itself."""
    info = item._fixtureinfo
    named = {*info.argnames, *(name for mark in item.iter_markers("usefixtures") for name in mark.args)}
    kept = tuple(
        name
        for name in info.initialnames
        if name in named or not (found := info.name2fixturedefs.get(name)) or not is_unwanted(found[-1])
    )
    if kept != info.initialnames:
        object.__setattr__(info, "initialnames", kept)
        info.prune_dependency_tree()


def ambient_definitions(item: pytest.Function) -> Sequence[Definition]:
    """The definitions that an item uses without naming them: autouse fixtures and `usefixtures`."""
    info = item._fixtureinfo
    named = info.argnames
    return [
        definitions[-1]
        for name in info.initialnames
        if (definitions := info.name2fixturedefs.get(name))
        # A test may also name an autouse fixture; that one is no less around the others.
        and (name not in named or any(definition._autouse for definition in definitions))
    ]


def own_parameters(item: pytest.Function) -> Mapping[str, inspect.Parameter]:
    """The signature of a test as it was written."""
    return inspect.signature(item.obj).parameters
