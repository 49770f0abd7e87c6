"""A run in which nothing that was collected declares that it needs a loop, but something may ask for one.

Such a run loads no asyncio until then. Does not run anything itself (`activation` registers what does).

Invariants:
1. Whether a test works does not depend on what is collected beside it. Whatever can ask for a loop while tests run
   activates the plugin before the first test, or else when it asks.
2. A sync suite pays for one look at its fixtures and tests. While its tests run it pays nothing.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.pytest_plugin._compat import Definition, call_before_set_up, has_fixtures
from looprig.pytest_plugin._compat.requests import item_of
from looprig.pytest_plugin.is_async import (
    async_on_request,
    is_builtin,
    is_function,
    is_of_suite,
    is_what_its_name_says,
)
from looprig.pytest_plugin.loops.loop_plan import LoopPlan

if TYPE_CHECKING:
    from looprig.pytest_plugin.run.tests import Runner

__all__ = ["Standby"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Standby:
    """The state of one run until the runner of tests is active, and the runner after that."""

    def __init__(self, session: pytest.Session, loops: LoopPlan) -> None:
        self._session = session
        self._loops = loops
        self._peers = loops.settings.owners
        self._runner: Runner | None = None
        self._undo: list[Callable[[], None]] = []

    def arrange(self, items: Iterable[pytest.Item]) -> None:
        """Activate the runner at once if necessary, or else let requests at run time activate it."""
        functions = [item for item in items if has_fixtures(item)]
        definitions = async_on_request(self._session)
        if self._loops.has_async or any(self._may_be_requested(d, functions) for d in definitions):
            self.activate()
            return
        for definition in definitions:
            self._undo.append(call_before_set_up(definition, partial(self.requested, definition)))
        if any(is_function(item) and not is_what_its_name_says(item.obj, item.originalname) for item in functions):
            from looprig.pytest_plugin.run.wrapped_tests import WrappedTests  # noqa: PLC0415 - few suites have any

            wrapped = WrappedTests(self._peers, self._run_test, lambda _item: False)
            self._session.config.pluginmanager.register(wrapped, "looprig.wrapped_tests")

    @property
    def may_watch(self) -> bool:
        """Whether tests may be watched: not if looprig stands back from all of them."""
        return self._runner is not None or not self._peers.stands_back

    def _may_be_requested(self, definition: Definition, items: list[pytest.Function]) -> bool:
        """Return whether a fixture is the suite's own and for looprig to run: any test may request it at run time."""
        if is_builtin(definition) or not is_of_suite(definition):
            return False  # the suite may not even know it
        # Nobody knows which test will request it. A plugin that claims it for the first test claims it for most.
        return any(self._peers.owner_of_fixture(definition, item) is None for item in items[:1])

    def requested(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        """Activate the runner because a test requests a fixture, if that is for looprig to run."""
        item = item_of(request)
        if is_builtin(definition) or self._peers.owner_of_fixture(definition, item) is None:
            self._activate_for(item)

    def _run_test(self, item: pytest.Function, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        return self._activate_for(item).run_test(item, function, arguments)

    def _activate_for(self, item: pytest.Function) -> "Runner":
        runner = self.activate()
        if runner.is_new:
            runner.pytest_runtest_setup(item)  # it was registered too late for this call
        return runner

    def activate(self) -> "Runner":
        """Register the runner of tests, once, and return it."""
        if self._runner is None:
            from looprig.pytest_plugin.run.activation import activate  # noqa: PLC0415 - this loads asyncio

            for undo in self._undo:
                undo()
            self._undo.clear()
            manager = self._session.config.pluginmanager
            if (wrapped := manager.get_plugin("looprig.wrapped_tests")) is not None:
                manager.unregister(wrapped)
            self._runner = activate(self._session, self._loops)
        return self._runner
