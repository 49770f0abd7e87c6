"""Definitions of fixtures: where they are visible, and what is made of them."""

# What is private, and what pytest leaves untyped, is the business of this package.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, cast

import pytest
from _pytest.fixtures import (
    FixtureFunctionDefinition,
    FixtureManager,
    get_scope_node,
    get_scope_package,
)
from _pytest.scope import Scope as PytestScope

from looprig.scopes import Scope

__all__ = [
    "Definition",
    "all_definitions",
    "cached_value",
    "call_before_set_up",
    "fixture_functions",
    "fixture_names",
    "forget",
    "function_ahead",
    "give_way",
    "guard",
    "is_cached",
    "is_installed",
    "make_dynamic",
    "plain_function",
    "poison",
    "scope_of",
    "scope_place",
    "visible_definitions",
    "visible_names",
]

Definition = pytest.FixtureDef[Any]


def _manager(node: pytest.Item | pytest.Collector | pytest.Session) -> FixtureManager:
    # pytest has no public way to ask which fixtures a node sees before an item exists.
    return node.session._fixturemanager


def give_way(session: pytest.Session, modules: Collection[str]) -> None:
    """Have the fixtures of these modules stand behind all others of their names.

    Of one node, pytest takes what was registered last, and a plugin may have come before ours. What the project itself
    has in plugins goes before what is installed, and that before ours.
    """
    root = str(session.config.rootpath)

    def rank(definition: Definition) -> int:
        if definition.func.__module__ in modules:
            return 2
        return 0 if _file(definition).startswith(root) and not is_installed(definition) else 1

    for by_node in session._fixturemanager._arg2node2fixturedefs.values():
        definitions = by_node.get(session, [])
        if len(definitions) > 1 and any(definition.func.__module__ in modules for definition in definitions):
            definitions.sort(key=rank)


def _file(definition: Definition) -> str:
    path: str = getattr(getattr(definition.func, "__code__", None), "co_filename", "")
    return path


def is_installed(definition: Definition) -> bool:
    """Whether a fixture comes from an installed plugin, not from the project."""
    return "site-packages" in _file(definition)


def plain_function(item: pytest.Function) -> pytest.Function:
    """Return an item as pytest itself would have made it, in the place of one of another plugin's class."""
    callspec = getattr(item, "callspec", None)
    parent: Any = item.parent
    return pytest.Function.from_parent(
        parent,
        name=item.name,
        callspec=callspec,
        fixtureinfo=item._fixtureinfo,
        keywords=None if callspec is None else {callspec.id: True},
        originalname=item.originalname,
    )


def function_ahead(collector: pytest.Collector, name: str, obj: object) -> pytest.Function:
    """Return the item that pytest would make of a test, to see which fixtures it will use."""
    return pytest.Function.from_parent(collector, name=name, callobj=obj)


def all_definitions(session: pytest.Session) -> Iterator[Definition]:
    """Every fixture definition of the run. Public is only `--fixtures`, which prints."""
    return iter(session._fixturemanager._get_all_fixture_defs())


def visible_definitions(name: str, node: pytest.Item | pytest.Collector) -> Sequence[Definition]:
    """The definitions called `name` that `node` sees, the nearest last."""
    return _manager(node).getfixturedefs(name, node) or ()


def visible_names(node: pytest.Item | pytest.Collector) -> Iterator[str]:
    """The names of all fixtures that a node sees."""
    manager = _manager(node)
    return (name for name in manager._arg2node2fixturedefs if manager.getfixturedefs(name, node))


def scope_of(definition: Definition) -> Scope:
    """A definition's scope, from its public name."""
    return Scope[definition.scope.upper()]


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


def forget(definition: Definition, request: pytest.FixtureRequest, error: BaseException) -> None:
    """End a failed set-up at once, finalizers included, so that pytest sets the fixture up anew for the next asker.

    pytest keeps the error of a set-up until the end of its scope. It ends only what it keeps; and what a hook raised
    around the set-up it does not keep, but is confused by the finalizers that are left.
    """
    if definition.cached_result is None:
        definition.cached_result = (None, None, (error, error.__traceback__))
    definition.finish(cast("Any", request))


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


def call_before_set_up(definition: Definition, call: Callable[[pytest.FixtureRequest], None]) -> Callable[[], None]:
    """Have `call` called before each request of a fixture is answered; gives what undoes that, which `call` may do.

    A hook would be called for every fixture of the run.
    """
    patched = cast("Any", definition)

    def execute(request: pytest.FixtureRequest) -> object:
        __tracebackhide__ = True
        call(request)
        if patched.__dict__.get("execute") is execute:
            return pytest.FixtureDef.execute(definition, cast("Any", request))
        return patched.execute(request)

    def undo() -> None:
        if patched.__dict__.get("execute") is execute:
            del patched.execute

    patched.execute = execute
    return undo


def fixture_functions(holder: Any) -> Iterator[Callable[..., Any]]:
    """The functions of the fixtures that a module or class has; the class of a decorated fixture is not public."""
    for value in list(vars(holder).values()):
        if isinstance(value, FixtureFunctionDefinition):
            yield value._get_wrapped_function()


def fixture_names(holder: Any) -> set[str]:
    """The names of the fixtures that a module or class has."""
    return {value.name for value in list(vars(holder).values()) if isinstance(value, FixtureFunctionDefinition)}
