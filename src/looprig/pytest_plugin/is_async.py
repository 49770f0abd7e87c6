"""Which tests and fixtures are async, and which fixtures need a loop.

These functions are cheap, and called once for each test and fixture definition. Of the plugin, this module imports only
`_compat`, so that a run can use it before it loads anything else.

Invariant: a sync function that hides an `async def` (`hides_async`) is called like any sync function, and only a
coroutine that it returns is run, since it may have run one itself.
"""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, TypeGuard

import pytest

from looprig.pytest_plugin._compat import Definition, all_definitions, has_fixtures, is_installed_file, is_unittest

__all__ = [
    "ENTRYPOINT",
    "LOOP_NAMES",
    "async_on_request",
    "function_in_thread",
    "hides_async",
    "inner_test",
    "innermost",
    "is_async_definition",
    "is_async_function",
    "is_async_test",
    "is_builtin",
    "is_coroutine_function",
    "is_function",
    "is_hidden_async_test",
    "is_of_suite",
    "is_own_loop",
    "is_plain",
    "is_what_its_name_says",
    "may_be_async",
    "may_need_loop",
    "needs_loops",
]

ENTRYPOINT: Final = "entrypoint"
"""looprig's only async fixture, which runs the objects of `services`."""
LOOP_NAMES: Final = frozenset({"loop", "event_loop"})
_MOST_LAYERS: Final = 100
"""Maximum number of layers. A function with more is taken to wrap itself."""


def is_async_function(function: Any) -> bool:
    """Return whether a call returns a coroutine or an async generator."""
    return is_coroutine_function(function) or inspect.isasyncgenfunction(function)


def is_coroutine_function(function: Any) -> bool:
    """Return `inspect.iscoroutinefunction(function)`. Faster for plain functions, as nearly all tests are."""
    plain = function.__func__ if type(function) is MethodType else function
    if type(plain) is FunctionType and plain.__code__.co_flags & inspect.CO_COROUTINE:
        return True
    return inspect.iscoroutinefunction(function)


def innermost(function: Any) -> Any:
    """Return the function below all layers: wrappers of decorators, partials, bound methods."""
    for _ in range(_MOST_LAYERS):
        if isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, partial):
            function = function.func
        elif (wrapped := getattr(function, "__wrapped__", None)) is not None:
            function = wrapped
        else:
            break
    return function


def hides_async(function: Any) -> bool:
    """Return whether this sync function may return a coroutine or an async generator of an `async def` behind it.

    The `async def` may be behind a decorator whose wrapper is sync, or be the `__call__` of an object.
    """
    if type(function) is FunctionType and "__wrapped__" not in function.__dict__:
        return False  # the usual case
    if is_async_function(function) or inspect.isgeneratorfunction(function) or _is_context_manager(function):
        return False
    inner = innermost(function)
    return is_async_function(inner) or (
        callable(inner) and not isinstance(inner, FunctionType | type) and is_async_function(type(inner).__call__)
    )


def _is_context_manager(function: Any) -> bool:
    """Return whether `contextlib.asynccontextmanager` made this function."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_qualname.startswith("asynccontextmanager.")


def is_what_its_name_says(function: Any, name: str) -> bool:
    """Return whether a function's `def` has the function's name. That of a wrapper usually has another one."""
    inner = innermost(function)
    return isinstance(inner, FunctionType) and inner.__code__.co_name == name


def is_async_definition(definition: Definition) -> bool:
    """Return whether a fixture is an `async def`, with or without a `yield`."""
    return is_async_function(definition.func)


def may_be_async(definition: Definition) -> bool:
    """Return whether a fixture is an `async def`, or hides one."""
    return is_async_definition(definition) or hides_async(definition.func)


def function_in_thread(function: Any) -> Any:
    """Return the async generator function of a service that runs in a thread, or `None` for any other fixture."""
    return getattr(function, "__looprig_in_thread__", None)


def is_builtin(definition: Definition) -> bool:
    """Return whether a fixture is one of looprig's own."""
    return (getattr(definition.func, "__module__", None) or "").startswith("looprig.pytest_plugin")


def is_of_suite(definition: Definition) -> bool:
    """Return whether a fixture was written in the suite itself, and not in an installed package."""
    path: str = getattr(getattr(innermost(definition.func), "__code__", None), "co_filename", "")
    return not is_installed_file(path)


def is_own_loop(definition: Definition) -> bool:
    """Return whether a fixture is looprig's own `loop` or `event_loop`, not a suite's fixture of that name."""
    return definition.argname in LOOP_NAMES and is_builtin(definition)


def may_need_loop(definition: Definition) -> bool:
    """Return whether a fixture may be bound to a loop: it is async, in a thread, or it requests a loop by name."""
    return (
        may_be_async(definition)
        or not LOOP_NAMES.isdisjoint(definition.argnames)
        or function_in_thread(definition.func) is not None
    )


def inner_test(function: Any) -> Any:
    """Return the function that Hypothesis calls for each example, or the function itself.

    `hypothesis.inner_test` is documented for plugins that run tests in their own way.
    """
    if getattr(function, "is_hypothesis_test", False):
        return function.hypothesis.inner_test
    return function


def is_function(item: pytest.Item) -> bool:
    """Return whether pytest calls the test itself: it isn't a doctest, nor a `TestCase`, which runs itself."""
    return isinstance(item, pytest.Function) and not is_unittest(item)


def is_async_test(item: pytest.Function) -> bool:
    """Return whether the test is an `async def`, even under Hypothesis. False for unittest's, which run themselves."""
    return is_coroutine_function(inner_test(item.obj)) and is_function(item)


def is_hidden_async_test(item: pytest.Function) -> bool:
    """Return whether a sync function wraps an `async def` test, and may return its coroutine."""
    return hides_async(inner_test(item.obj)) and is_function(item)


# A whole run


def async_on_request(session: pytest.Session) -> Sequence[Definition]:
    """Return the fixtures of a run that need a loop if a test requests them at run time, such as looprig's `loop`."""
    return [
        each
        for each in all_definitions(session)
        if may_be_async(each) or is_own_loop(each) or function_in_thread(each.func) is not None
    ]


def needs_loops(session: pytest.Session, items: Iterable[pytest.Item]) -> bool:
    """Return whether a run may need loops, because something is async or a fixture that needs a loop is used.

    Looks once at each fixture, test, class and module. If it isn't certain, the result is true.
    """
    definitions = async_on_request(session)
    # Any test may request a fixture of the suite at run time, even if no test declares it.
    if any(is_of_suite(each) and not is_builtin(each) for each in definitions):
        return True
    names = {each.argname for each in definitions} | LOOP_NAMES
    holders: set[object] = set()
    for item in items:
        if not has_fixtures(item):
            continue
        if not names.isdisjoint(item.fixturenames) or (is_function(item) and _is_unlike_sync(item)):
            return True
        if item.parent not in holders:
            for node in item.iter_parents():
                if node not in holders and (is_plain(node) or _is_test_case(node, item)) and _has_async(node.obj):
                    return True
                holders.add(node)
    return False


def is_plain(node: object) -> TypeGuard[pytest.Module | pytest.Class]:
    """Return whether a node is of pytest's own module or class type. Reading the `obj` of others may import more."""
    return type(node) in {pytest.Module, pytest.Class}


def _is_test_case(node: object, item: pytest.Item) -> TypeGuard[pytest.Class]:
    """Return whether a node is a unittest class."""
    return node is item.parent and is_unittest(item)


def _is_unlike_sync(item: pytest.Function) -> bool:
    function = inner_test(item.obj)
    if is_async_function(function) or hides_async(function):
        return True
    return not is_what_its_name_says(item.obj, item.originalname)


def _has_async(holder: Any) -> bool:
    """Return whether a module or class has an async function: a set-up method, for example."""
    return any(
        is_async_function(getattr(value, "__func__", value))
        for each in _with_bases(holder)
        for value in _values(each)
        if type(value) in _FUNCTIONS
    )


_FUNCTIONS: Final[frozenset[type]] = frozenset({FunctionType, staticmethod, classmethod})


def _values(holder: object) -> list[object]:
    return [*vars(holder).values()]  # a copy: other threads may be importing


def _with_bases(holder: Any) -> Iterator[Any]:
    if isinstance(holder, type):
        yield from (base for base in holder.__mro__ if base.__module__ not in {"builtins", "unittest.case"})
    elif isinstance(holder, ModuleType):
        yield holder
