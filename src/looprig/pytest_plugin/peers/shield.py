"""Protection of the tests that use looprig's own declarations from a plugin that claims every async test.

Everything that the other plugin does to these tests during collection is undone, and when they are called, it sees a
plain function. Other tests are left as they are. Does not decide which tests they are (`active` does).
"""

from collections.abc import Generator
from types import FunctionType
from typing import Any, Final, TypeGuard, cast, final

import pytest

from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.closures import drop_autouse, function_ahead, plain_function
from looprig.pytest_plugin.is_async import inner_test, is_async_function, is_async_test
from looprig.pytest_plugin.peers.active import Peers

__all__ = ["Shield"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_RUNNING: Final = "looprig.runner"


@final
class Shield:
    """The hooks that undo what the other plugin does."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._put_on_functions = [each.put_on_functions for each in peers if each.put_on_functions is not None]
        self._put_on_items = {each.put_on_items for each in peers}

    def _is_ours(self, item: object) -> TypeGuard[pytest.Function]:
        return isinstance(item, pytest.Function) and self._peers.is_protected(item)

    # Outermost, so that this runs after the other plugin has replaced items.
    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_pycollect_makeitem")
    def pytest_pycollect_makeitem_plain(self) -> Generator[None, Any, Any]:
        """Keep looprig's items as pytest makes them."""
        made = yield
        if type(made) is not list:
            return made
        items = cast("list[object]", made)
        return [self._kept(item) if self._is_ours(item) else item for item in items]

    def _kept(self, item: pytest.Function) -> pytest.Function:
        drop_autouse(item, self._is_around)
        return plain_function(item) if any(each.replaces(item) for each in self._peers) else item

    def _is_around(self, definition: Definition) -> bool:
        return any(each.surrounds_with(definition) for each in self._peers)

    # After the other plugin's hook, which comes first, and before pytest's, which creates the item.
    @pytest.hookimpl(specname="pytest_pycollect_makeitem")
    def pytest_pycollect_makeitem_unmarked(self, collector: pytest.Module | pytest.Class, name: str, obj: Any) -> None:
        """Remove the mark that the other plugin put on the function."""
        # Check for a function, since a mock has any attribute that is asked for.
        if type(obj) is not FunctionType or not is_async_function(inner_test(obj)):
            return
        function: Any = obj
        marks: list[pytest.Mark] = getattr(function, "pytestmark", [])
        if not marks or (marks[-1].name, marks[-1].args) not in self._put_on_functions:
            return
        function.pytestmark = marks[:-1]
        if not self._is_ours(function_ahead(collector, name, obj)):
            function.pytestmark = marks

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Remove the mark that the other plugin put on the item."""
        ours = [item for item in items if self._is_ours(item)]
        result = yield
        for item in ours:
            item.own_markers[:] = [mark for mark in item.own_markers if mark.name not in self._put_on_items]
        return result

    # aiomisc's and aiohttp's hooks leave their own function in the definition, even for later set-ups.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Restore a fixture's function after another plugin has set the fixture up."""
        if not is_async_function(fixturedef.func) or not request.config.pluginmanager.has_plugin(_RUNNING):
            return (yield)
        definition: Any = fixturedef
        function, names = definition.func, definition.argnames
        try:
            return (yield)
        finally:
            definition.func, definition.argnames = function, names

    # Outermost, since it is registered late, so that all other hooks see a plain function.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Show other plugins a plain function that runs the test when it is called."""
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
