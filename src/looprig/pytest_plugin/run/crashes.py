"""Crashes of live fixtures, and fixtures that a test ended: later requests for such a fixture raise the reason.

Does not detect crashes (`LiveFixture` does), and does not cancel the running test (its operation does).

Invariants:
1. A crash that a test reported is not raised again by the teardown of the fixture.
2. A test that ends a fixture on purpose can still use it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, final

from looprig.exceptions import FixtureCrashedError, LooprigError
from looprig.pytest_plugin._compat.instances import poison

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.run.contexts import Contexts
    from looprig.pytest_plugin.run.ends import Ends
    from looprig.runtime.fixture import LiveFixture

__all__ = ["Crashes"]


@final
class Crashes:
    """The crashes that no test has reported yet."""

    def __init__(self, contexts: Contexts, ends: Ends) -> None:
        self._contexts = contexts
        self._ends = ends
        self._unreported: dict[FixtureCrashedError, LiveFixture] = {}

    def add(self, definition: Definition, live: LiveFixture, crash: FixtureCrashedError) -> None:
        """Make pytest raise a crash for all further requests for the fixture, and for those that depend on it."""
        self._poison(definition, live, crash)
        self._unreported[crash] = live

    def retire(self, definition: Definition, live: LiveFixture) -> None:
        """Make pytest raise the reason if later tests request the fixture, or those that depend on it.

        A fixture that is revived before the current test ends stays as it was.
        """
        if self._ends.item is not None:
            self._ends.at_end.append(partial(self._retire, definition, live))
        else:
            live.on_revived = partial(_undo, self._retire(definition, live))

    def _retire(self, definition: Definition, live: LiveFixture) -> list[Callable[[], None]]:
        return [] if live.retired is None else self._poison(definition, live, live.retired)

    def _poison(self, definition: Definition, live: LiveFixture, reason: LooprigError) -> list[Callable[[], None]]:
        """Make pytest raise `reason`, and return what undoes that."""
        # pytest knows the fixtures that a fixture names, but not those that it requested at run time.
        legacies = [*self._contexts.legacies.items()]  # a copy: a service in a thread may crash at any time
        dependents = [dependent for dependent, (needs, _) in legacies if live in needs]
        return [poison(each, reason) for each in (*dependents, definition)]

    def report(self, error: BaseException) -> None:
        """Record that an error was reported. If it is a crash, the fixture's teardown need not raise it."""
        if isinstance(error, FixtureCrashedError) and (live := self._unreported.pop(error, None)) is not None:
            live.reported = True

    def forget(self, crash: FixtureCrashedError) -> None:
        """Forget a crash because its fixture is torn down."""
        self._unreported.pop(crash, None)


def _undo(steps: list[Callable[[], None]]) -> None:
    while steps:
        steps.pop()()
