"""How pytest calls the functions of fixtures and tests."""

# pytest doesn't annotate everything here.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.fixtures import call_fixture_func, resolve_fixture_function

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition

__all__ = ["bound_function", "call_fixture", "returned_awaitable", "tracing_debugger"]


def bound_function(definition: Definition, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a fixture's function, bound to the test's instance if it is a method."""
    return resolve_fixture_function(definition, request)


def call_fixture(function: Callable[..., Any], request: pytest.FixtureRequest, kwargs: dict[str, Any]) -> object:
    """Set up a sync fixture as pytest does, with the same errors. A generator's teardown becomes a finalizer."""
    __tracebackhide__ = True
    return call_fixture_func(function, request, kwargs)


def tracing_debugger(function: Any) -> tuple[Any, Any]:
    """Return the debugger that `--trace` put around a test's function, and the function inside.

    Without `--trace`, return `None` and the function itself. pytest's wrapper calls the function under the debugger and
    drops its result, even if that is a coroutine.
    """
    code = getattr(function, "__code__", None)
    if code is None or code.co_qualname != "wrap_pytest_function_for_tracing.<locals>.wrapper":
        return None, function
    cells = {name: cell.cell_contents for name, cell in zip(code.co_freevars, function.__closure__, strict=True)}
    return cells["_pdb"], cells["testfunction"]


def returned_awaitable(failure: BaseException) -> Any:
    """Return what a test returned, if pytest failed it because that has to be awaited. It has no class for this."""
    start = "async def functions are not natively supported"
    if not (isinstance(failure, pytest.fail.Exception) and str(failure).startswith(start)):
        return None
    called = (frame for frame, _ in walk_tb(failure.__traceback__) if frame.f_code.co_name == "pytest_pyfunc_call")
    return next((frame.f_locals["result"] for frame in called if "result" in frame.f_locals), None)
