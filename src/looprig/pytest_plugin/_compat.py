"""Every private name of pytest that looprig touches, each with its reason and the versions it was checked with.

Nothing else in looprig imports `_pytest` or reads an underscored attribute of a pytest object. Checked with pytest
9.1 and 9.2. A test walks through all of it, so that a new pytest that moves a name is found by the suite at once.
"""

# What is private, and what pytest leaves untyped, is this module's whole business.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

import inspect
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest
from _pytest.fixtures import (
    FixtureDef,
    FixtureFunctionDefinition,
    FixtureManager,
    FuncFixtureInfo,
    call_fixture_func,
    get_scope_node,
    get_scope_package,
    resolve_fixture_function,
)
from _pytest.scope import Scope as PytestScope
from _pytest.unittest import TestCaseFunction

from looprig.scopes import Scope

__all__ = [
    "active_definition",
    "all_definitions",
    "argument_names",
    "bound_function",
    "call_fixture",
    "closure",
    "dependencies",
    "fixture_info",
    "insert_fixture_name",
    "is_node_active",
    "is_parametrized",
    "is_unittest",
    "item_of",
    "make_dynamic",
    "parametrized_indices",
    "poison",
    "requesting_node",
    "scope_of",
    "scope_place",
    "visible_definitions",
]

Definition = pytest.FixtureDef[Any]


def _manager(node: pytest.Item | pytest.Collector | pytest.Session) -> FixtureManager:
    # pytest has no public way to ask which fixtures a node sees before an item exists.
    return node.session._fixturemanager


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


def all_definitions(session: pytest.Session) -> Iterator[Definition]:
    """Every fixture definition of the run. Public is only `--fixtures`, which prints."""
    return iter(session._fixturemanager._get_all_fixture_defs())


def visible_definitions(name: str, node: pytest.Item | pytest.Collector) -> Sequence[Definition]:
    """The definitions called `name` that `node` sees, the nearest last."""
    return _manager(node).getfixturedefs(name, node) or ()


def scope_of(definition: Definition) -> Scope:
    """A definition's scope, from its public name."""
    return Scope[definition.scope.upper()]


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


def scope_place(item: pytest.Item, scope: Scope, definition: Definition | None) -> pytest.Item | pytest.Collector:
    """The node that an instance lives on: what `SubRequest` computes, without making a request."""
    if scope is Scope.FUNCTION:
        return item
    if scope is Scope.PACKAGE and definition is not None:
        found = get_scope_package(item, definition)
    else:
        found = get_scope_node(item, PytestScope[scope.name.capitalize()])
    # No class around the test: pytest falls back to the item itself. No package: to the session.
    fallback = item if scope is Scope.CLASS else item.session
    return cast("pytest.Item | pytest.Collector", found if found is not None else fallback)


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


def item_of(request: pytest.FixtureRequest) -> pytest.Function:
    """The item that a fixture is set up for. `request.node` is the node of the fixture's scope instead."""
    return request._pyfuncitem


def item_request(item: pytest.Function) -> pytest.FixtureRequest:
    """The request of the item itself, which may ask for every scope."""
    return item._request


def requesting_node(request: pytest.FixtureRequest) -> Any:
    """The node of whoever asked for the fixture of `request`: it lives no longer than that."""
    parent = getattr(request, "_parent_request", None)
    return request.node if parent is None else parent.node


def requester_scope(request: pytest.FixtureRequest) -> Scope:
    """The scope of whoever asked for the fixture of `request`."""
    parent = getattr(request, "_parent_request", None)
    return Scope.FUNCTION if parent is None else Scope[parent.scope.upper()]


def requester(request: pytest.FixtureRequest) -> Definition | None:
    """The definition of whoever asked for the fixture of `request`; `None` where the test itself did."""
    parent = getattr(request, "_parent_request", None)
    return getattr(parent, "_fixturedef", None)


def active_definition(request: pytest.FixtureRequest, name: str) -> Definition:
    """The definition that `name` means in a request, set up if need be: to hang a finalizer on, as peers do too."""
    found: Definition | None = request._fixture_defs.get(name)
    return request._get_active_fixturedef(name) if found is None else found


def bound_function(definition: Definition, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A fixture's function, bound to the test's instance where it is a method."""
    return resolve_fixture_function(definition, request)


def call_fixture(function: Callable[..., Any], request: pytest.FixtureRequest, kwargs: dict[str, Any]) -> object:
    """What pytest does with a sync fixture, generators and their finalizers included: its errors are its own."""
    __tracebackhide__ = True
    return call_fixture_func(function, request, kwargs)


@contextmanager
def noting_requests(request: pytest.FixtureRequest, note: Callable[[Definition], None]) -> Generator[None, None, None]:
    """Has `note` told of each fixture that is asked for through `request` meanwhile, also where it was alive before."""
    patched = cast("Any", request)
    get = patched._get_active_fixturedef

    def get_and_note(name: str) -> Any:
        found = get(name)
        if isinstance(found, FixtureDef):
            note(found)
        return found

    patched._get_active_fixturedef = get_and_note
    try:
        yield
    finally:
        del patched._get_active_fixturedef


def is_node_active(node: pytest.Item | pytest.Collector) -> bool:
    """Whether a node is set up now, so that a finalizer can be put on it."""
    return node.session._setupstate.is_node_active(node)


def is_cached(definition: Definition) -> bool:
    """Whether an instance of the fixture is alive now, and its set-up did not fail."""
    return definition.cached_result is not None and definition.cached_result[2] is None


def cached_value(definition: Definition) -> Any:
    """The value of a fixture that is alive now."""
    assert definition.cached_result is not None
    return definition.cached_result[0]


def poison(definition: Definition, error: BaseException) -> None:
    """Has all further requests of a live fixture raise `error`, which is how pytest itself keeps a failed set-up."""
    if definition.cached_result is not None:
        definition.cached_result = (None, definition.cached_result[1], (error, error.__traceback__))


def guard(definition: Definition, admit: Callable[[pytest.FixtureRequest], None]) -> None:
    """Has `admit` look at each later request of a fixture that is alive.

    pytest calls no hook where it answers from its cache; it compares cache keys, so the look is put there.
    """
    guarded = cast("Any", definition)
    if "cache_key" in guarded.__dict__:
        return
    original = definition.cache_key

    def cache_key(request: Any) -> object:
        __tracebackhide__ = True
        if definition.cached_result is not None:
            admit(request)
        return original(request)

    guarded.cache_key = cache_key


def _ignore(*_arguments: object, **_options: object) -> None:
    """Stands in for what a dynamic fixture has no use for."""


def make_dynamic(definition: Definition, resolve: Callable[[pytest.FixtureRequest], object]) -> None:
    """Makes a session-scoped fixture answer each request anew, so that every scope may ask for it.

    pytest's own `request` fixture is made in the same way, from a definition with a ready `cached_result` that
    takes no finalizers.
    """

    def execute(request: pytest.FixtureRequest) -> object:
        value = resolve(request)
        definition.cached_result = (value, None, None)
        return value

    dynamic = cast("Any", definition)
    dynamic.execute = execute
    dynamic.addfinalizer = _ignore
    dynamic.finish = _ignore


def resolved_definitions(item: pytest.Function) -> Collection[Definition]:
    """The definitions that an item has set up or found set up so far, in that order: a view that grows with them."""
    request: Any = item._request
    return request._fixture_defs.values() if request else ()


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


def definitions_named(name: str, session: pytest.Session) -> Iterator[Definition]:
    """All definitions called `name`, wherever they are visible."""
    for definitions in session._fixturemanager._arg2node2fixturedefs.get(name, {}).values():
        yield from definitions


def fixture_functions(holder: Any) -> Iterator[Callable[..., Any]]:
    """The functions of the fixtures that a module or class has; the class of a decorated fixture is not public."""
    for value in list(vars(holder).values()):
        if isinstance(value, FixtureFunctionDefinition):
            yield value._get_wrapped_function()


def fixture_names(holder: Any) -> set[str]:
    """The names of the fixtures that a module or class has."""
    return {value.name for value in list(vars(holder).values()) if isinstance(value, FixtureFunctionDefinition)}
