"""Tells what is async where pytest would never await it: set-up methods, and tests with a `yield`.

Changes nothing. pytest itself calls such a function, drops what it gives, and goes on. What is wrong with the classes
of unittest is in `testcases`.
"""

import inspect
from collections.abc import Iterator
from typing import Final

import pytest

from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin.checks.testcases import async_set_ups_of_test_case, async_test_of_test_case
from looprig.pytest_plugin.loops.is_async import inner_test

__all__ = ["refusals"]

_OF_CLASSES: Final = {
    "setup_class": "class",
    "teardown_class": "class",
    "setup_method": "function",
    "teardown_method": "function",
}
_OF_MODULES: Final = {
    "setup_module": "module",
    "setUpModule": "module",
    "teardown_module": "module",
    "tearDownModule": "module",
    "setup_function": "function",
    "teardown_function": "function",
}
"""What pytest calls around tests, with the scope of the fixture that does the same."""


def refusals(item: pytest.Function, seen: set[object]) -> Iterator[DeclarationError]:
    """What cannot work about a test or about what stands around it; `seen` holds what was looked at before."""
    if not callable(item.obj):  # a doctest, say
        return
    if item.parent not in seen:
        seen.add(item.parent)
        for node in item.iter_parents():
            if isinstance(node, pytest.Module | pytest.Class) and (node is item.parent or node not in seen):
                seen.add(node)
                if node is item.parent and _compat.is_unittest(item):
                    yield from async_set_ups_of_test_case(node)
                else:
                    yield from _async_set_ups(node)
    test = inner_test(item.obj)
    if _compat.is_unittest(item) and test not in seen:
        yield from async_test_of_test_case(item)
    if inspect.isasyncgenfunction(test) and test not in seen:
        seen.add(test)
        yield DeclarationError(
            f"{item.name} is an async generator: pytest would never run it.",
            [(item.name, location_of(test))],
            "Take the yield out of the test. What is to be torn down after a test belongs in a fixture.",
        )


def _async_set_ups(node: pytest.Module | pytest.Class) -> Iterator[DeclarationError]:
    for name, scope in (_OF_CLASSES if isinstance(node, pytest.Class) else _OF_MODULES).items():
        function = getattr(node.obj, name, None)
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            shown = f"{node.name}.{name}" if isinstance(node, pytest.Class) else name
            yield DeclarationError(
                f"{shown} is async: pytest calls it and never awaits it.",
                [(shown, location_of(function))],
                f'Make it a fixture: @pytest.fixture(scope="{scope}", autouse=True), with a yield between set-up and '
                "teardown.",
            )
