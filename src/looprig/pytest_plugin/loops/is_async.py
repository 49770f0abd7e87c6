"""Tells async tests and fixtures from the others, and which fixtures need a loop.

Cheap: asked once for each test and once for each fixture definition.

Invariant: what is sync itself and hides an `async def` (`hides_async`) is called as a sync function is, and only what
it gives is run: it may well have run the coroutine itself.
"""

import inspect
from collections.abc import Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final

import pytest

from looprig.pytest_plugin._compat import Definition, closure_of, is_unittest

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
    "is_hidden_async_test",
    "is_own_loop",
    "is_what_its_name_says",
    "may_be_async",
    "may_need_loop",
    "on_a_loop",
]

ENTRYPOINT: Final = "entrypoint"
"""looprig's one async fixture: it runs the objects of `services`."""
LOOP_NAMES: Final = frozenset({"loop", "event_loop"})
_MOST_LAYERS: Final = 100
"""More is a function that wraps itself."""


def is_async_function(function: Any) -> bool:
    """Whether calling it gives a coroutine or an async generator."""
    return is_coroutine_function(function) or inspect.isasyncgenfunction(function)


def is_coroutine_function(function: Any) -> bool:
    """What `inspect.iscoroutinefunction` says, sooner for a plain function, which nearly every test is."""
    plain = function.__func__ if type(function) is MethodType else function
    if type(plain) is FunctionType and plain.__code__.co_flags & inspect.CO_COROUTINE:
        return True
    return inspect.iscoroutinefunction(function)


def innermost(function: Any) -> Any:
    """Return the function at the bottom of what stands around it: decorators' wrappers, partials, bound methods."""
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
    """Whether calling this sync function may give a coroutine or an async generator: an `async def` stands behind it.

    So it does behind a decorator whose wrapper is sync, and as the `__call__` of an object.
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
    """Whether a call gives the context manager that `contextlib.asynccontextmanager` made of an async generator."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_qualname.startswith("asynccontextmanager.")


def is_what_its_name_says(function: Any, name: str) -> bool:
    """Whether a function is the one written under this name: a wrapper, say, has the name of its own `def`."""
    inner = innermost(function)
    return isinstance(inner, FunctionType) and inner.__code__.co_name == name


def is_async_definition(definition: Definition) -> bool:
    """Whether a fixture is an `async def`, with or without a `yield`."""
    return is_async_function(definition.func)


def may_be_async(definition: Definition) -> bool:
    """Whether a fixture is an `async def`, or hides one."""
    return is_async_definition(definition) or hides_async(definition.func)


def is_builtin(definition: Definition) -> bool:
    """Whether looprig itself brought the fixture."""
    return (getattr(definition.func, "__module__", None) or "").startswith("looprig.pytest_plugin")


def is_own_loop(definition: Definition) -> bool:
    """Whether it is looprig's own `loop` or `event_loop`, and not a suite's fixture of that name."""
    return definition.argname in LOOP_NAMES and is_builtin(definition)


def may_need_loop(definition: Definition) -> bool:
    """Whether an instance of the fixture may be bound to a loop: it is async, or it asks for one by its name."""
    return may_be_async(definition) or not LOOP_NAMES.isdisjoint(definition.argnames)


def on_a_loop(item: pytest.Function) -> Iterator[Definition]:
    """Yield the definitions in the closure of an item that are async, or ask for looprig's own loop themselves."""
    for definition, asked in closure_of(item).dependencies():
        if may_be_async(definition) or any(is_own_loop(other) for other in asked):
            yield definition


def inner_test(function: Any) -> Any:
    """The function that Hypothesis calls for each example, or the function itself.

    `hypothesis.inner_test` is what Hypothesis documents for plugins that run tests in their own way.
    """
    if getattr(function, "is_hypothesis_test", False):
        return function.hypothesis.inner_test
    return function


def is_function(item: pytest.Item) -> bool:
    """Whether the test is a function that pytest calls: no doctest, and no `TestCase`, which runs itself."""
    return isinstance(item, pytest.Function) and not is_unittest(item)


def is_async_test(item: pytest.Function) -> bool:
    """Whether the test is an `async def`, under Hypothesis too. What is unittest's runs itself, and is not."""
    return is_coroutine_function(inner_test(item.obj)) and is_function(item)


def is_hidden_async_test(item: pytest.Function) -> bool:
    """Whether a sync function stands around an `async def` test, and may give its coroutine."""
    return hides_async(inner_test(item.obj)) and is_function(item)
