"""What one test asks for: its closure, its parameters, and what answers them."""

# What is private, and what pytest leaves untyped, is the business of this package.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

import inspect
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeGuard

import pytest
from _pytest.compat import NOTSET
from _pytest.fixtures import (
    FuncFixtureInfo,
    traverse_fixture_closure,
)
from _pytest.mark.structures import ParameterSet
from _pytest.python import get_direct_param_fixture_func
from _pytest.unittest import TestCaseFunction

from looprig.declare.annotations import parameters_of
from looprig.location import UNKNOWN, Location, location_of
from looprig.pytest_plugin._compat.definitions import Definition, scope_of, visible_definitions
from looprig.scopes import Scope

__all__ = [
    "ambient_definitions",
    "argument_names",
    "closure",
    "complete",
    "definitions_in_item",
    "dependencies",
    "drop_autouse",
    "fixture_info",
    "gives_parameter",
    "has_fixtures",
    "insert_fixture_name",
    "is_no_value",
    "is_parametrized",
    "is_unittest",
    "own_parameters",
    "parameter_index",
    "parameter_values",
    "parametrized_indices",
    "parametrized_scope",
    "place_of_item",
    "plain_parameter",
    "requests",
]

_COMPLETED: Final = pytest.StashKey[FuncFixtureInfo]()


def has_fixtures(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Whether fixtures can be set up for an item: also for a doctest, and for those items of other plugins.

    They are typed as functions, as pytest types them itself where it sets fixtures up for them. All of them have an
    `obj`, but that need not be a function, and they cannot be parametrized.
    """
    return isinstance(item, pytest.Function) or (
        isinstance(getattr(item, "_fixtureinfo", None), FuncFixtureInfo)
        and hasattr(item, "_request")
        and hasattr(item, "obj")
        and hasattr(item, "fixturenames")
    )


def place_of_item(item: pytest.Item) -> Location:
    """Where a test was written: for what is no function, as a doctest, where pytest reports it."""
    place = location_of(getattr(item, "obj", None))
    if place is not UNKNOWN:
        return place
    path, line, _ = item.reportinfo()
    return Location(str(path), 0 if line is None else line + 1)


def fixture_info(item: pytest.Function) -> FuncFixtureInfo:
    """The closure of an item, with what hooks have added to it. Public is only `item.fixturenames`: just names."""
    return item.stash.get(_COMPLETED, item._fixtureinfo)


def complete(item: pytest.Function) -> None:
    """Add to the closure of an item what hooks have added to `item.fixturenames`, as pytest will set it up.

    pytest looks up what it knows no definitions for when it comes to it.
    """
    info = item._fixtureinfo
    by_name = info.name2fixturedefs
    names = item.fixturenames
    if all(name in by_name or name == "request" for name in names):
        return  # as nearly always
    found: dict[str, Sequence[Definition]] = dict(by_name)

    def definitions(name: str) -> Sequence[Definition] | None:
        if name not in found and (seen := visible_definitions(name, item)):
            found[name] = seen
        return found.get(name)

    added = tuple(name for name in names if name not in by_name and definitions(name))
    below = traverse_fixture_closure(added, getfixturedefs=definitions)
    item.stash[_COMPLETED] = FuncFixtureInfo(
        argnames=info.argnames,
        initialnames=(*info.initialnames, *added),
        names_closure=list(dict.fromkeys((*names, *below))),
        name2fixturedefs=found,
    )


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
            if (only := by_name.get(name)) is not None:
                yield only[0]
        return
    seen: set[Definition] = set()
    for _, _, found in _walk(info, (*info.initialnames, *info.names_closure), set(info.names_closure)):
        if found is not None and found not in seen:
            seen.add(found)
            yield found


def dependencies(info: FuncFixtureInfo) -> Iterator[tuple[Definition, tuple[Definition, ...]]]:
    """Each definition in a closure with those that it asks for itself; these come before it."""
    asked: dict[Definition | None, list[Definition]] = {}
    for user, name, found in _walk(info, (*info.initialnames, *info.names_closure), set(info.names_closure)):
        if name and found is not None:
            asked.setdefault(user, []).append(found)
        elif not name and user is not None:
            yield user, tuple(asked.pop(user, ()))


def requests(info: FuncFixtureInfo) -> Iterator[tuple[Definition | None, str, Definition | None]]:
    """Each parameter in a closure that a fixture has to answer: who has it, its name, and what answers it.

    `None` stands for the test itself, and for nothing that answers.
    """
    return ((user, name, found) for user, name, found in _walk(info, info.initialnames, None) if name)


def _walk(
    info: FuncFixtureInfo, names: Iterable[str], kept: Container[str] | None
) -> Iterator[tuple[Definition | None, str, Definition | None]]:
    """Walk through what a test asks for, and what that asks for, as pytest resolves it: who asks, the name, the answer.

    A definition is entered once; an empty name says that it is left. Only names among `kept` are answered. There is no
    recursion, since a chain of fixtures may be long.
    """
    by_name = info.name2fixturedefs
    depth: dict[str, int] = {}
    entered: set[Definition] = set()
    users: list[tuple[Definition | None, Iterator[str]]] = [(None, iter(names))]
    while users:
        user, asks = users[-1]
        if (name := next(asks, None)) is None:
            users.pop()
            if user is not None:
                depth[user.argname] -= 1
                yield user, "", None
            continue
        definitions = by_name.get(name, ()) if kept is None or name in kept else ()
        index = depth.get(name, 0) + 1
        found = definitions[-index] if index <= len(definitions) else None
        yield user, name, found
        if found is not None and found not in entered:
            entered.add(found)
            depth[name] = index
            users.append((found, iter(found.argnames)))


def gives_parameter(definition: Definition) -> bool:
    """Whether it stands for the values of a direct parametrization: pytest makes such a definition for each test."""
    return definition.func is get_direct_param_fixture_func


def is_no_value(value: object) -> bool:
    """Whether it is what pytest puts in place of a value where a parametrization has none: such a test is skipped."""
    return value is NOTSET


def plain_parameter(parameter: object) -> object:
    """The value of one of a fixture's `params`, which may be written as `pytest.param(value)`."""
    return parameter.values[0] if isinstance(parameter, ParameterSet) and parameter.values else parameter


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
    # Nodes have an abstract metaclass, which makes `isinstance` slow where the answer is no.
    return type(item) is not pytest.Function and isinstance(item, TestCaseFunction)


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
    return fixture_info(item).name2fixturedefs.get(name) or visible_definitions(name, item)


def insert_fixture_name(item: pytest.Function, name: str, definition: Definition) -> None:
    """Has `name` set up for the item, ahead of all that is not wider: parametrized ones decide what is cached."""
    names = item.fixturenames
    by_name = fixture_info(item).name2fixturedefs
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
    info = fixture_info(item)
    named = info.argnames
    return [
        definitions[-1]
        for name in info.initialnames
        if (definitions := info.name2fixturedefs.get(name))
        # A test may also name an autouse fixture; that one is no less around the others.
        and (
            name not in named
            or definitions[-1]._autouse
            or (len(definitions) > 1 and any(definition._autouse for definition in definitions))
        )
    ]


def own_parameters(item: pytest.Function) -> Mapping[str, inspect.Parameter]:
    """The signature of a test as it was written."""
    return parameters_of(item.obj)
