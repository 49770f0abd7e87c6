"""Tells async tests and fixtures from the others, and which fixtures need a loop.

Cheap: asked once for each test and once for each fixture definition.
"""

import inspect
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any, Final

import pytest

from looprig.pytest_plugin._compat import Definition, dependencies, fixture_info, is_unittest

__all__ = [
    "ENTRYPOINT",
    "LOOP_NAMES",
    "inner_test",
    "is_async_definition",
    "is_async_function",
    "is_async_test",
    "is_builtin",
    "is_own_loop",
    "may_need_loop",
    "on_a_loop",
]

ENTRYPOINT: Final = "entrypoint"
"""looprig's one async fixture: it runs the objects of `services`."""
LOOP_NAMES: Final = frozenset({"loop", "event_loop"})


def is_async_function(function: Any) -> bool:
    """Whether calling it gives a coroutine or an async generator."""
    return is_coroutine_function(function) or inspect.isasyncgenfunction(function)


def is_coroutine_function(function: Any) -> bool:
    """What `inspect.iscoroutinefunction` says, sooner for a plain function, which nearly every test is."""
    plain = function.__func__ if type(function) is MethodType else function
    if type(plain) is FunctionType and plain.__code__.co_flags & inspect.CO_COROUTINE:
        return True
    return inspect.iscoroutinefunction(function)


def is_async_definition(definition: Definition) -> bool:
    """Whether a fixture is an `async def`, with or without a `yield`."""
    return is_async_function(definition.func)


def is_builtin(definition: Definition) -> bool:
    """Whether looprig itself brought the fixture."""
    return (getattr(definition.func, "__module__", None) or "").startswith("looprig.pytest_plugin")


def is_own_loop(definition: Definition) -> bool:
    """Whether it is looprig's own `loop` or `event_loop`, and not a suite's fixture of that name."""
    return definition.argname in LOOP_NAMES and is_builtin(definition)


def may_need_loop(definition: Definition) -> bool:
    """Whether an instance of the fixture may be bound to a loop: it is async, or it asks for one by its name."""
    return is_async_definition(definition) or not LOOP_NAMES.isdisjoint(definition.argnames)


def on_a_loop(item: pytest.Function) -> Iterator[Definition]:
    """Yield the definitions in the closure of an item that are async, or ask for looprig's own loop themselves."""
    for definition, asked in dependencies(fixture_info(item)):
        if is_async_definition(definition) or any(is_own_loop(other) for other in asked):
            yield definition


def inner_test(function: Any) -> Any:
    """The function that Hypothesis calls for each example, or the function itself.

    `hypothesis.inner_test` is what Hypothesis documents for plugins that run tests in their own way.
    """
    if getattr(function, "is_hypothesis_test", False):
        return function.hypothesis.inner_test
    return function


def is_async_test(item: pytest.Function) -> bool:
    """Whether the test is an `async def`, under Hypothesis too. What is unittest's runs itself, and is not."""
    return is_coroutine_function(inner_test(item.obj)) and not is_unittest(item)
