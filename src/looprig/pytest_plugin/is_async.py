"""Which tests and fixtures are async, and which fixtures need a loop.

Cheap: asked once for each test and once for each fixture definition. Imports nothing of the plugin but `_compat`, so a
run can ask before it loads anything else.

Invariant: a sync function that hides an `async def` (`hides_async`) is called like any sync function, and only what it
returns is run, since it may have run the coroutine itself.
"""

import inspect
from collections.abc import Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final

import pytest

from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin._compat.definitions import Definition, is_unittest

__all__ = [
    "ENTRYPOINT",
    "LOOP_NAMES",
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
    "is_own_loop",
    "is_what_its_name_says",
    "may_be_async",
    "may_need_loop",
    "on_a_loop",
]

ENTRYPOINT: Final = "entrypoint"
"""looprig's only async fixture, which runs the objects of `services`."""
LOOP_NAMES: Final = frozenset({"loop", "event_loop"})
_MOST_LAYERS: Final = 100
"""A function with more layers wraps itself."""


def is_async_function(function: Any) -> bool:
    """Return whether a call returns a coroutine or an async generator."""
    return is_coroutine_function(function) or inspect.isasyncgenfunction(function)


def is_coroutine_function(function: Any) -> bool:
    """Return `inspect.iscoroutinefunction(function)`, faster for a plain function, which nearly every test is."""
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
        return False  # as nearly always
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
    """Return whether a function was written under this name: a wrapper, for example, has the name of its own `def`."""
    inner = innermost(function)
    return isinstance(inner, FunctionType) and inner.__code__.co_name == name


def is_async_definition(definition: Definition) -> bool:
    """Return whether a fixture is an `async def`, with or without a `yield`."""
    return is_async_function(definition.func)


def may_be_async(definition: Definition) -> bool:
    """Return whether a fixture is an `async def`, or hides one."""
    return is_async_definition(definition) or hides_async(definition.func)


def is_builtin(definition: Definition) -> bool:
    """Return whether a fixture is one of looprig's own."""
    return (getattr(definition.func, "__module__", None) or "").startswith("looprig.pytest_plugin")


def is_own_loop(definition: Definition) -> bool:
    """Return whether a fixture is looprig's own `loop` or `event_loop`, not a suite's fixture of that name."""
    return definition.argname in LOOP_NAMES and is_builtin(definition)


def may_need_loop(definition: Definition) -> bool:
    """Return whether a fixture may be bound to a loop: it is async, or it requests a loop by name."""
    return may_be_async(definition) or not LOOP_NAMES.isdisjoint(definition.argnames)


def on_a_loop(item: pytest.Function) -> Iterator[Definition]:
    """Yield the fixtures of an item that are async, or request looprig's own loop themselves."""
    for definition, requested in closure_of(item).dependencies():
        if may_be_async(definition) or any(is_own_loop(other) for other in requested):
            yield definition


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
    """Return whether the test is an `async def`, under Hypothesis too. Tests of unittest run themselves, and aren't."""
    return is_coroutine_function(inner_test(item.obj)) and is_function(item)


def is_hidden_async_test(item: pytest.Function) -> bool:
    """Return whether a sync function wraps an `async def` test, and may return its coroutine."""
    return hides_async(inner_test(item.obj)) and is_function(item)
