"""What cannot work about the classes of unittest: async methods that unittest never awaits, and loops of its own.

Changes nothing, and loads neither unittest nor asyncio. Says nothing of classes that call their methods in a way of
their own: Django's, for one, awaits async tests of a plain `TestCase`.
"""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest

from looprig.exceptions import DeclarationError, LoopPlanError
from looprig.location import location_of
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.loops.is_async import is_async_function, is_coroutine_function, may_need_loop
from looprig.pytest_plugin.peers.active import Peers

__all__ = ["async_set_ups_of_test_case", "async_test_of_test_case", "loops_of_test_case"]

_AWAITED: Final = {
    "setUp": "asyncSetUp",
    "setup_method": "asyncSetUp",
    "tearDown": "asyncTearDown",
    "teardown_method": "asyncTearDown",
}
"""What is called around each test, with the method of `IsolatedAsyncioTestCase` that is awaited there."""
_OF_CLASSES: Final = ("setUpClass", "setup_class", "tearDownClass", "teardown_class")
_MACHINERY: Final = ("__call__", "__getattribute__", "_callSetUp", "_callTearDown", "_callTestMethod", "run")


def async_set_ups_of_test_case(node: pytest.Class | pytest.Module) -> Iterator[DeclarationError]:
    """The set-ups and teardowns of a test case that are async and never awaited."""
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
    """An async test of a plain `TestCase`, which unittest would call and never await."""
    cls: Any = item.cls
    if is_coroutine_function(item.obj) and not _is_isolated(cls) and _is_as_in_unittest(cls):
        shown = f"{cls.__name__}.{item.name}"
        yield DeclarationError(
            f"{shown} is async: unittest calls it and never awaits it.",
            [(shown, location_of(item.obj)), (cls.__name__, location_of(cls))],
            f"Derive {cls.__name__} from unittest.IsolatedAsyncioTestCase, which awaits it; or from nothing, and "
            "looprig runs it.",
        )


def loops_of_test_case(item: pytest.Function, shape: Iterable[Definition], owners: Peers) -> Iterator[LoopPlanError]:
    """An async fixture, of all that stand on a loop, which a test of an `IsolatedAsyncioTestCase` uses."""
    cls: Any = getattr(item, "cls", None)  # a doctest has none
    if not _compat.is_unittest(item) or not _is_isolated(cls):
        return
    for definition in shape:
        if may_need_loop(definition) and owners.owner_of_fixture(definition, item) is None:
            yield LoopPlanError(
                f"{item.name} is run by unittest, as {cls.__name__} is an IsolatedAsyncioTestCase, and "
                f"{definition.argname}, which it uses, by looprig: they would be on different loops.",
                [(item.name, location_of(item.obj)), (definition.argname, location_of(definition.func))],
                f"Let one of them run both. If {cls.__name__} is derived from nothing, looprig runs its tests; or set "
                f"up in asyncSetUp what {definition.argname} gives.",
            )
            return


def _is_isolated(cls: type) -> bool:
    return _base(cls).__name__ == "IsolatedAsyncioTestCase"


def _base(cls: type) -> type:
    """The class of unittest's own that a test case is derived from; to import the async one would load asyncio."""
    return next(base for base in cls.__mro__ if base.__module__ in {"unittest.case", "unittest.async_case"})


def _is_as_in_unittest(cls: type) -> bool:
    """Whether the tests of a class run, and just as unittest itself runs them."""
    if getattr(cls, "__unittest_skip__", False):
        return False
    base = _base(cls)
    return all(inspect.getattr_static(cls, name) is inspect.getattr_static(base, name) for name in _MACHINERY)
