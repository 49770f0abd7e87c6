"""How pytest calls the functions of fixtures and tests."""

# pytest leaves types out here.
# pyright: reportUnknownVariableType=false

from collections.abc import Callable
from typing import Any

import pytest
from _pytest.fixtures import call_fixture_func, resolve_fixture_function

from looprig.pytest_plugin._compat import Definition

__all__ = ["bound_function", "call_fixture", "tracing_debugger"]


def bound_function(definition: Definition, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a fixture's function, bound to the test's instance where it is a method."""
    return resolve_fixture_function(definition, request)


def call_fixture(function: Callable[..., Any], request: pytest.FixtureRequest, kwargs: dict[str, Any]) -> object:
    """Set up a sync fixture as pytest does, generators and their finalizers included, with the same errors."""
    __tracebackhide__ = True
    return call_fixture_func(function, request, kwargs)


def tracing_debugger(function: Any) -> tuple[Any, Any]:
    """Return the debugger that `--trace` put around a test's function, and that function; otherwise `None` and itself.

    pytest's wrapper calls the function under the debugger and drops what it returns, a coroutine too.
    """
    code = getattr(function, "__code__", None)
    if code is None or code.co_qualname != "wrap_pytest_function_for_tracing.<locals>.wrapper":
        return None, function
    cells = {name: cell.cell_contents for name, cell in zip(code.co_freevars, function.__closure__, strict=True)}
    return cells["_pdb"], cells["testfunction"]
