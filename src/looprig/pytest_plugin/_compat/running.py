"""Fixtures that are being set up: requests, and what is alive."""

# What is private, and what pytest leaves untyped, is the business of this package.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from _pytest.fixtures import (
    FixtureDef,
    call_fixture_func,
    resolve_fixture_function,
)

from looprig.pytest_plugin._compat.definitions import Definition
from looprig.scopes import Scope

__all__ = [
    "active_definition",
    "bound_function",
    "call_fixture",
    "has_other_runners",
    "is_node_active",
    "item_of",
    "item_request",
    "noting_requests",
    "requester",
    "requester_scope",
    "requesting_node",
    "resolved_definitions",
    "tracing_debugger",
]


def item_of(request: pytest.FixtureRequest) -> pytest.Function:
    """The item that a fixture is set up for. `request.node` is the node of the fixture's scope instead."""
    return request._pyfuncitem


def item_request(item: pytest.Function) -> pytest.FixtureRequest:
    """The request of the item itself, which may ask for every scope."""
    return item._request


def requesting_node(request: pytest.FixtureRequest) -> Any:
    """The node of whoever asked for the fixture of `request`: it lives no longer than that."""
    parent = getattr(request, "_parent_request", None)
    return request.node if parent is None else parent.node


def requester_scope(request: pytest.FixtureRequest) -> Scope:
    """The scope of whoever asked for the fixture of `request`."""
    parent = getattr(request, "_parent_request", None)
    return Scope.FUNCTION if parent is None else Scope[parent.scope.upper()]


def requester(request: pytest.FixtureRequest) -> Definition | None:
    """The definition of whoever asked for the fixture of `request`; `None` where the test itself did."""
    parent = getattr(request, "_parent_request", None)
    return getattr(parent, "_fixturedef", None)


def active_definition(request: pytest.FixtureRequest, name: str) -> Definition:
    """The definition that `name` means in a request, set up if need be: to hang a finalizer on, as peers do too."""
    found: Definition | None = request._fixture_defs.get(name)
    return request._get_active_fixturedef(name) if found is None else found


def bound_function(definition: Definition, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A fixture's function, bound to the test's instance where it is a method."""
    return resolve_fixture_function(definition, request)


def call_fixture(function: Callable[..., Any], request: pytest.FixtureRequest, kwargs: dict[str, Any]) -> object:
    """What pytest does with a sync fixture, generators and their finalizers included: its errors are its own."""
    __tracebackhide__ = True
    return call_fixture_func(function, request, kwargs)


@contextmanager
def noting_requests(request: pytest.FixtureRequest, note: Callable[[Definition], None]) -> Generator[None, None, None]:
    """Has `note` told of each fixture that is asked for through `request` meanwhile, also where it was alive before."""
    patched = cast("Any", request)
    get = patched._get_active_fixturedef

    def get_and_note(name: str) -> Any:
        found = get(name)
        if isinstance(found, FixtureDef):
            note(found)
        return found

    patched._get_active_fixturedef = get_and_note
    try:
        yield
    finally:
        del patched._get_active_fixturedef


def is_node_active(node: pytest.Item | pytest.Collector) -> bool:
    """Whether a node is set up now, so that a finalizer can be put on it."""
    return node.session._setupstate.is_node_active(node)


def resolved_definitions(item: pytest.Function) -> Collection[Definition]:
    """The definitions that an item has set up or found set up so far, in that order: a view that grows with them."""
    request: Any = item._request
    return request._fixture_defs.values() if request else ()


def has_other_runners(config: pytest.Config) -> bool:
    """Whether a conftest or an unknown plugin has a hook that may call tests itself."""
    known = ("_pytest.", "looprig.", "anyio", "pytest_asyncio", "pytest_aiohttp", "aiohttp.", "aiomisc", "pytest_trio")
    for each in config.hook.pytest_pyfunc_call.get_hookimpls():
        plugin: Any = each.plugin
        module = getattr(plugin, "__name__", None) or type(plugin).__module__
        if not (each.wrapper or each.hookwrapper or module.startswith(known)):
            return True
    return False


def tracing_debugger(function: Any) -> tuple[Any, Any]:
    """The debugger that `--trace` has put around a test's function, and that function; `None` and itself otherwise.

    pytest's wrapper calls the function under the debugger and drops what it gives, a coroutine too.
    """
    code = getattr(function, "__code__", None)
    if code is None or code.co_qualname != "wrap_pytest_function_for_tracing.<locals>.wrapper":
        return None, function
    cells = {name: cell.cell_contents for name, cell in zip(code.co_freevars, function.__closure__, strict=True)}
    return cells["_pdb"], cells["testfunction"]
