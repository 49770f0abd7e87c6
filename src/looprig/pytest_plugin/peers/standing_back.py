"""Beside a plugin that claims every async test: has looprig's own tests run by looprig alone.

Those are the tests that use a service (`owners` says which). What the other plugin does to every async test while it
collects is undone for them, and when they are called it sees a plain function. Changes nothing about other tests.
"""

from collections.abc import Generator
from types import FunctionType
from typing import Any, Final, TypeGuard, cast, final

import pytest

from looprig.pytest_plugin import _compat
from looprig.pytest_plugin.is_async import inner_test, is_async_function, is_async_test
from looprig.pytest_plugin.peers.owners import Owners

__all__ = ["StandingBack"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_RUNNING: Final = "looprig.running"
_BACKEND: Final = ("usefixtures", ("anyio_backend",))


@final
class StandingBack:
    """The hooks that keep the other plugin's hands off looprig's tests."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    def _is_ours(self, item: object) -> TypeGuard[pytest.Function]:
        return isinstance(item, pytest.Function) and self._owners.owner_of_test(item) is None

    # Outermost: after pytest-asyncio has put items of a class of its own in the place of pytest's.
    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_pycollect_makeitem")
    def pytest_pycollect_makeitem_plain(self) -> Generator[None, Any, Any]:
        """Keep items of looprig's as pytest makes them."""
        made = yield
        if type(made) is not list:
            return made
        items = cast("list[object]", made)
        return [self._kept(item) if self._is_ours(item) else item for item in items]

    def _kept(self, item: pytest.Function) -> pytest.Function:
        # aiomisc's entrypoint and loop are around every test.
        _compat.drop_autouse(item, self._owners.is_of_claiming)
        is_changed = type(item).__module__.startswith("pytest_asyncio")
        return _compat.plain_function(item) if is_changed else item

    # After anyio's hook, which is to be first, and before pytest's, which makes the item.
    @pytest.hookimpl(specname="pytest_pycollect_makeitem")
    def pytest_pycollect_makeitem_without_backend(
        self, collector: pytest.Module | pytest.Class, name: str, obj: Any
    ) -> None:
        """Take off the fixture that anyio gives every async test: it would be run once with each backend."""
        # Of all else that a module has, nothing is touched: a mock answers whatever it is asked.
        if type(obj) is not FunctionType or not is_async_function(inner_test(obj)):
            return
        function: Any = obj
        marks: list[pytest.Mark] = getattr(function, "pytestmark", [])
        if not marks or (marks[-1].name, marks[-1].args) != _BACKEND:
            return
        function.pytestmark = marks[:-1]
        if not self._is_ours(_compat.function_ahead(collector, name, obj)):
            function.pytestmark = marks

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Take off the mark that pytest-trio gives every async test."""
        ours = [item for item in items if self._is_ours(item)]
        result = yield
        for item in ours:
            item.own_markers[:] = [mark for mark in item.own_markers if mark.name != "trio"]
        return result

    # aiomisc's and aiohttp's hooks leave a function of theirs in the definition, for whoever uses it next.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Give a fixture its own function back, after another plugin has set it up."""
        if not is_async_function(fixturedef.func) or not request.config.pluginmanager.has_plugin(_RUNNING):
            return (yield)
        definition: Any = fixturedef
        function, names = definition.func, definition.argnames
        try:
            return (yield)
        finally:
            definition.func, definition.argnames = function, names

    # Outermost, as it is registered late: all others see a plain function.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Show a plain function to other plugins, which runs the test when it is called."""
        function = pyfuncitem.obj
        if not is_async_test(pyfuncitem) or not is_async_function(function) or not self._is_ours(pyfuncitem):
            return (yield)
        running: Any = pyfuncitem.config.pluginmanager.get_plugin(_RUNNING)

        def run_test(**_arguments: object) -> None:
            __tracebackhide__ = True
            pyfuncitem.obj = function
            running.call(pyfuncitem)

        pyfuncitem.obj = run_test
        try:
            return (yield)
        finally:
            pyfuncitem.obj = function
