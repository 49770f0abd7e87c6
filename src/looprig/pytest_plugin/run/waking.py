"""Wakes the active part of the plugin in a run where nothing that was collected needs a loop by what it declares.

Such a run loads no asyncio. Does not run anything itself (`activation` registers what does).

Invariants:
1. Whether a test works does not depend on what is collected beside it: what can ask for a loop while tests run wakes
   the plugin before the first test, or else when it asks.
2. A sync suite pays for one look at its fixtures and tests. While its tests run it pays nothing.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.pytest_plugin._compat import Definition, all_definitions, call_before_set_up, has_fixtures
from looprig.pytest_plugin._compat.requests import item_of
from looprig.pytest_plugin.is_async import (
    LOOP_NAMES,
    hides_async,
    innermost,
    is_async_definition,
    is_builtin,
    is_function,
    is_what_its_name_says,
)
from looprig.pytest_plugin.loops.loop_plan import LoopPlan

if TYPE_CHECKING:
    from looprig.pytest_plugin.run.tests import Running

__all__ = ["Waking"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


def _may_need_loop(definition: Definition) -> bool:
    return (
        is_async_definition(definition)
        or hides_async(definition.func)
        or (definition.argname in LOOP_NAMES and is_builtin(definition))
    )


def _is_installed(definition: Definition) -> bool:
    """Whether a fixture comes with an installed plugin, and not from the suite itself."""
    path: str = getattr(getattr(innermost(definition.func), "__code__", None), "co_filename", "")
    return "site-packages" in path or "dist-packages" in path


@final
class Waking:
    """What wakes the active part in one run, now or later."""

    def __init__(self, session: pytest.Session, loops: LoopPlan) -> None:
        self._session = session
        self._loops = loops
        self._owners = loops.settings.owners
        self._running: Running | None = None
        self._undo: list[Callable[[], None]] = []

    def arrange(self, items: Iterable[pytest.Item]) -> None:
        """Wake it at once if need be, and otherwise see to it that it can be woken."""
        functions = [item for item in items if has_fixtures(item)]
        definitions = [d for d in all_definitions(self._session) if _may_need_loop(d)]
        if self._loops.has_async or any(self._may_be_asked_for(d, functions) for d in definitions):
            self.wake()
            return
        for definition in definitions:
            self._undo.append(call_before_set_up(definition, partial(self.asked, definition)))
        if any(is_function(item) and not is_what_its_name_says(item.obj, item.originalname) for item in functions):
            from looprig.pytest_plugin.run.made_sync import MadeSync  # noqa: PLC0415 - most suites have no such test

            made_sync = MadeSync(self._owners, self._run_test, lambda _item: False)
            self._session.config.pluginmanager.register(made_sync, "looprig.made_sync")

    @property
    def may_watch(self) -> bool:
        """Whether tests may be watched; not where looprig stands back from all of them."""
        return self._running is not None or not self._owners.stands_back

    def _may_be_asked_for(self, definition: Definition, items: list[pytest.Function]) -> bool:
        """Whether a fixture of the suite is async and looprig's to run: any test may ask for it with a request."""
        if is_builtin(definition) or _is_installed(definition):
            return False  # no suite need know of them
        # Which test will ask is not known: what another plugin claims of the first, it claims of most.
        return any(self._owners.owner_of_fixture(definition, item) is None for item in items[:1])

    def asked(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        """Wake it because a test asks for a fixture, if that is looprig's to run."""
        item = item_of(request)
        if is_builtin(definition) or self._owners.owner_of_fixture(definition, item) is None:
            self._wake_for(item)

    def _run_test(self, item: pytest.Function, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        return self._wake_for(item).run_test(item, function, arguments)

    def _wake_for(self, item: pytest.Function) -> "Running":
        running = self.wake()
        if running.is_new:
            running.pytest_runtest_setup(item)  # which the hook is too late for
        return running

    def wake(self) -> "Running":
        """Register the active part, once, and return what runs tests."""
        if self._running is None:
            # From here on the run needs asyncio.
            from looprig.pytest_plugin.run.activation import activate  # noqa: PLC0415

            for undo in self._undo:
                undo()
            self._undo.clear()
            manager = self._session.config.pluginmanager
            if (asleep := manager.get_plugin("looprig.made_sync")) is not None:
                manager.unregister(asleep)
            self._running = activate(self._session, self._loops)
        return self._running
