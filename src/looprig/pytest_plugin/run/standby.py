"""A run in which no test declares that it needs a loop, but something may request one at run time.

Such a run doesn't load asyncio until then. Does not run anything itself (`activation` registers the hooks that do).

Invariants:
1. Whether a test works does not depend on the other tests in the run. Anything that may request a loop while tests run
   activates the plugin before the first test, or else when it makes the request.
2. In a sync suite, each fixture and test is looked at once. While its tests run, this costs nothing.
"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from looprig.pytest_plugin.loops.loop_plan import LoopPlan
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
        """Activate the runner now if necessary, or else when a fixture is requested at run time."""
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
        """Whether tests may be watched. False if looprig stands back from all of them."""
        return self._runner is not None or not self._peers.stands_back

    def _may_be_requested(self, definition: Definition, items: list[pytest.Function]) -> bool:
        """Return whether looprig would run this fixture of the suite if a test requested it at run time."""
        if is_builtin(definition) or not is_of_suite(definition):
            return False  # the suite may not use it at all
        # It isn't known which test will request it. If a plugin claims it for the first test, it probably does for all.
        return any(self._peers.owner_of_fixture(definition, item) is None for item in items[:1])

    def requested(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        """Activate the runner if a test requests a fixture that looprig runs."""
        item = item_of(request)
        if is_builtin(definition) or self._peers.owner_of_fixture(definition, item) is None:
            self._activate_for(item)

    def _run_test(self, item: pytest.Function, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        return self._activate_for(item).run_test(item, function, arguments)

    def _activate_for(self, item: pytest.Function) -> Runner:
        runner = self.activate()
        if runner.is_new:
            runner.pytest_runtest_setup(item)  # the runner was registered too late for this call
        return runner

    def note_failure(self, item: pytest.Item) -> None:
        """Record that an exception has ended a test, if tests are watched."""
        if self._runner is not None:
            self._runner.watchdogs.note_failure(item)

    def activate(self) -> Runner:
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
