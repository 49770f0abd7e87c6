"""Everything private to pytest that looprig touches, checked with pytest 9.2.

Nothing else in looprig imports `_pytest` or reads an underscored attribute of a pytest object, and no private type of
pytest leaves this package. This file has only what every run needs, even one with nothing async, and loads no other
module of looprig. `tests/house` compares the code with this list:

| private | in | why there is no public way |
| --- | --- | --- |
| `NOTSET` | parameters | stands for a value where a parametrization has none |
| `get_direct_param_fixture_func` | parameters | the function of a definition that stands for a parametrized value |
| `call_fixture_func` | calls | calls a fixture and registers a generator's teardown, with pytest's own errors |
| `resolve_fixture_function` | calls | binds a fixture that is a method to the test's instance |
| `_pdb` | calls | the debugger that `--trace` put around a test, which would drop its coroutine |
| `_fixturemanager` | definitions, __init__ | knows which fixtures there are, before any is requested |
| `_get_all_fixture_defs` | __init__ | lists all fixtures; publicly, `--fixtures` can only print them |
| `_arg2node2fixturedefs` | definitions, __init__ | the nodes and the precedence of all fixtures |
| `_fixtureinfo` | closures, __init__ | the definitions that an item uses; `fixturenames` are just names |
| `_finalizers` | instances | what a live fixture holds; pytest only adds to them |
| `_autouse` | closures, instances | whether a fixture is an autouse fixture |
| `_arg2scope` | scopes | the scope that a parametrization gives a fixture |
| `_request` | requests, __init__ | the request of an item, which may request fixtures of every scope |
| `_pyfuncitem` | requests | the item of a request; `node` is that of the fixture's scope |
| `_parent_request` | requests | who requested a fixture, since `loop` may return another loop to each requester |
| `_fixturedef` | requests | the definition of a request, to find out which fixture made it |
| `_fixture_defs` | requests | the fixtures that an item has set up, or found set up, so far |
| `_get_active_fixturedef` | requests | is called for every request; no hook is called if the fixture is alive |
| `_file` | terminal | where the terminal writer writes to |

looprig also uses these, which have no underscore but are undocumented: `callspec` of items; the constructor of
definitions and their `cached_result`, `cache_key`, `execute`, `finish` and `node`; `getfixturedefs` of the fixture
manager.
"""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, TypeGuard, cast

import pytest

__all__ = [
    "Definition",
    "all_definitions",
    "call_before_set_up",
    "fixture_functions",
    "fixture_names",
    "give_way",
    "has_fixtures",
    "is_installed",
    "is_installed_file",
    "is_unittest",
    "visible_definitions",
    "visible_names",
]

Definition = pytest.FixtureDef[Any]

# The class of objects that `@pytest.fixture` makes: pytest exports no name for it.
_DECORATED: Final = type(pytest.fixture(lambda: None))


def all_definitions(session: pytest.Session) -> Iterator[Definition]:
    """Yield every fixture definition of the run. pytest's public way is only `--fixtures`, which prints them."""
    return iter(session._fixturemanager._get_all_fixture_defs())


def visible_definitions(name: str, node: pytest.Item | pytest.Collector) -> Sequence[Definition]:
    """Return the definitions called `name` that are visible on a node, the nearest last."""
    return node.session._fixturemanager.getfixturedefs(name, node) or ()


def visible_names(node: pytest.Item | pytest.Collector) -> Iterator[str]:
    """Yield the names of all fixtures that are visible on a node."""
    names = dict.fromkeys(definition.argname for definition in all_definitions(node.session))
    return (name for name in names if visible_definitions(name, node))


def give_way(session: pytest.Session, modules: Collection[str]) -> None:
    """Give the fixtures of these modules the lowest precedence among fixtures of the same names.

    If a node has several, pytest prefers the one that was registered last, and other plugins may be registered before
    looprig. Afterwards, fixtures of the project's own plugins take precedence over those of installed plugins, and
    those over looprig's.
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
    """Return whether a fixture comes from an installed plugin, not from the project."""
    return is_installed_file(_file(definition))


def is_installed_file(path: str) -> bool:
    """Return whether a source file belongs to an installed package."""
    return "site-packages" in path or "dist-packages" in path


def fixture_functions(holder: Any) -> Iterator[Callable[..., Any]]:
    """Yield the functions of the fixtures that a module or class defines."""
    return (value.__wrapped__ for value in _decorated(holder))


def fixture_names(holder: Any) -> set[str]:
    """Return the names of the fixtures that a module or class defines."""
    return {value.name for value in _decorated(holder)}


def _decorated(holder: Any) -> Iterator[Any]:
    values: list[object] = [*vars(holder).values()]
    return (value for value in values if isinstance(value, _DECORATED))


def has_fixtures(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Return whether fixtures can be set up for an item: a function, a doctest, or the like from another plugin.

    All such items are typed as `pytest.Function`, as in pytest's own code that sets up their fixtures. Each has an
    `obj`, which need not be a function. Only real functions can be parametrized.
    """
    return isinstance(item, pytest.Function) or all(
        hasattr(item, name) for name in ("_fixtureinfo", "_request", "fixturenames", "obj")
    )


def is_unittest(item: pytest.Item) -> bool:
    """Return whether a test is a method of a `unittest.TestCase`, which runs itself, async or not."""
    if type(item) is pytest.Function:  # pytest has a subclass for them
        return False
    unittest: Any = sys.modules.get("unittest")
    cls = getattr(item.parent, "obj", None)
    return unittest is not None and isinstance(cls, type) and issubclass(cls, unittest.TestCase)


def call_before_set_up(definition: Definition, call: Callable[[pytest.FixtureRequest], None]) -> Callable[[], None]:
    """Call `call` before each request for a fixture is answered. Return a function that undoes this.

    `call` may undo it too. A hook would be called for every fixture of the run, and only after the dependencies of this
    one were set up.
    """
    patched = cast("Any", definition)

    def execute(request: pytest.FixtureRequest) -> object:
        __tracebackhide__ = True
        call(request)
        if patched.__dict__.get("execute") is execute:
            return cast("Any", pytest.FixtureDef).execute(definition, request)
        return patched.execute(request)

    def undo() -> None:
        if patched.__dict__.get("execute") is execute:
            del patched.execute

    patched.execute = execute
    return undo
