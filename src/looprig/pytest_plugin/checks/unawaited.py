"""The check for async functions that pytest would never await: set-up methods, and tests with a `yield`.

pytest calls such a function, drops the coroutine, and goes on. `testcases` does the same for unittest's classes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.pytest_plugin._compat import is_unittest
from looprig.pytest_plugin.is_async import inner_test, is_plain

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.item_errors import Found
    from looprig.pytest_plugin.collection.collected import Collected

__all__ = ["unawaited_functions"]

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
"""The functions that pytest calls around tests, with the scope of a fixture that does the same."""


def unawaited_functions(collected: Collected) -> Found:
    """Yield an error for each async set-up function around tests, and for each test that is never run."""
    around: dict[object, list[DeclarationError]] = {}
    for test, group in collected.tests.items():
        if group.is_left or not callable(test.obj):  # a doctest, for example
            continue
        if test.parent not in around:
            around[test.parent] = [*_set_ups_around(test)]
        for error in around[test.parent]:
            yield error, (test,)
        if not group.is_async:
            for error in _of_test(test, inner_test(test.obj)):
                yield error, (test,)


def _of_test(item: pytest.Function, function: Any) -> Iterator[DeclarationError]:
    if is_unittest(item):
        from looprig.pytest_plugin.checks.testcases import async_test_of_test_case  # noqa: PLC0415 - with unittest only

        yield from async_test_of_test_case(item)
    if inspect.isasyncgenfunction(function):
        yield DeclarationError(
            f"{item.name} is an async generator: pytest would never run it.",
            [(item.name, location_of(function))],
            "Remove the yield from the test. Code that runs after a test belongs in a fixture.",
        )


def _set_ups_around(item: pytest.Function) -> Iterator[DeclarationError]:
    for node in item.iter_parents():
        if node is item.parent and isinstance(node, pytest.Module | pytest.Class) and is_unittest(item):
            from looprig.pytest_plugin.checks.testcases import async_set_ups_of_test_case  # noqa: PLC0415 - as above

            yield from async_set_ups_of_test_case(node)
        elif is_plain(node) and isinstance(node, pytest.Class):
            yield from _async_set_ups(node.obj, _OF_CLASSES, f"{node.name}.")
        elif is_plain(node):
            yield from _async_set_ups(node.obj, _OF_MODULES, "")


def _async_set_ups(holder: object, names: dict[str, str], prefix: str) -> Iterator[DeclarationError]:
    for name, scope in names.items():
        function = getattr(holder, name, None)
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            yield DeclarationError(
                f"{prefix}{name} is async: pytest calls it and never awaits it.",
                [(f"{prefix}{name}", location_of(function))],
                f'Make it a fixture: @pytest.fixture(scope="{scope}", autouse=True), with a yield between set-up and '
                "teardown.",
            )
