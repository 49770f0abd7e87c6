"""The check of unittest's classes: async methods that are never awaited, and fixtures that aren't on unittest's loop.

Loads neither unittest nor asyncio. Ignores classes that call their methods in their own way. For example, Django's
classes await async tests although they aren't derived from `IsolatedAsyncioTestCase`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from looprig.exceptions import DeclarationError, LoopPlanError
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition, is_unittest
from looprig.pytest_plugin.is_async import is_async_function, is_coroutine_function, is_own_loop, may_be_async

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.item_errors import Found
    from looprig.pytest_plugin.collection.collected import Collected

__all__ = ["async_set_ups_of_test_case", "async_test_of_test_case", "loops_of_test_cases"]

_AWAITED: Final = {
    "setUp": "asyncSetUp",
    "setup_method": "asyncSetUp",
    "tearDown": "asyncTearDown",
    "teardown_method": "asyncTearDown",
}
"""The methods called around each test, with those of `IsolatedAsyncioTestCase` that unittest awaits instead."""
_OF_CLASSES: Final = ("setUpClass", "setup_class", "tearDownClass", "teardown_class")
_MACHINERY: Final = ("__call__", "__getattribute__", "_callSetUp", "_callTearDown", "_callTestMethod", "run")


def async_set_ups_of_test_case(node: pytest.Class | pytest.Module) -> Iterator[DeclarationError]:
    """Yield an error for each async set-up or teardown method of a test case, since unittest never awaits it."""
    cls = node.obj
    if not _is_as_in_unittest(cls):
        return
    for name in (*_AWAITED, *_OF_CLASSES):
        function = getattr(cls, name, None)
        if not is_async_function(function):
            continue
        if (awaited := _AWAITED.get(name)) is None:
            fix = "Make it a plain method, which may use asyncio.run; or set up in asyncSetUp, for each test."
        elif _is_isolated(cls):
            fix = f"Call it {awaited}: unittest awaits that."
        else:
            fix = f"Derive {node.name} from unittest.IsolatedAsyncioTestCase, and call it {awaited}."
        shown = f"{node.name}.{name}"
        yield DeclarationError(
            f"{shown} is async: unittest calls it and never awaits it.", [(shown, location_of(function))], fix
        )


def async_test_of_test_case(item: pytest.Function) -> Iterator[DeclarationError]:
    """Yield an error if an async test is in a plain `TestCase`, where unittest calls it and never awaits it."""
    cls: Any = item.cls
    if is_coroutine_function(item.obj) and not _is_isolated(cls) and _is_as_in_unittest(cls):
        shown = f"{cls.__name__}.{item.name}"
        yield DeclarationError(
            f"{shown} is async: unittest calls it and never awaits it.",
            [(shown, location_of(item.obj)), (cls.__name__, location_of(cls))],
            f"Derive {cls.__name__} from unittest.IsolatedAsyncioTestCase, which awaits it; or from no class, and "
            "looprig runs it.",
        )


def loops_of_test_cases(collected: Collected) -> Found:
    """Yield an error for each test of an `IsolatedAsyncioTestCase` that uses a fixture on a loop of looprig's."""
    for group in collected.groups:
        for test in () if group.is_left else group.tests:
            if not is_unittest(test):
                continue
            cls: Any = test.cls
            if not _is_isolated(cls):
                continue
            for definition, requested in group.fixtures:
                needs_loop = may_be_async(definition) or any(is_own_loop(other) for other in requested)
                if needs_loop and collected.owners.owner_of_fixture(definition, test) is None:
                    yield _two_loops(test, cls, definition, collected.registry.label(definition)), (test,)
                    break


def _two_loops(item: pytest.Function, cls: type, definition: Definition, label: str) -> LoopPlanError:
    return LoopPlanError(
        f"{item.name} is run by unittest, as {cls.__name__} is an IsolatedAsyncioTestCase, and {label}, "
        "which it uses, by looprig: they would be on different loops.",
        [(item.name, location_of(item.obj)), (label, location_of(definition.func))],
        f"Let one of them run both: derive {cls.__name__} from no class, and looprig runs its tests; or set up in "
        f"asyncSetUp what {label} provides.",
    )


def _is_isolated(cls: type) -> bool:
    return _base(cls).__name__ == "IsolatedAsyncioTestCase"


def _base(cls: type) -> type:
    """Return unittest's class that a test case is derived from. Don't import the async one, which loads asyncio."""
    return next(base for base in cls.__mro__ if base.__module__ in {"unittest.case", "unittest.async_case"})


def _is_as_in_unittest(cls: type) -> bool:
    """Return whether the tests of a class are not skipped, and run in the same way as under unittest itself."""
    if getattr(cls, "__unittest_skip__", False):
        return False
    base = _base(cls)
    return all(inspect.getattr_static(cls, name) is inspect.getattr_static(base, name) for name in _MACHINERY)
