"""The live fixtures that outlive a test. A leak of theirs isn't the test's, and neither is anything that they hold.

Does not look for leaks (`looprig.watch.leaks` does). Fixtures of a single test are part of the test.
"""

from collections.abc import Callable, Iterator
from typing import final

from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.instances import held_by
from looprig.pytest_plugin.run.contexts import Contexts
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.tasks import Party
from looprig.watch.leaks import Leaks, Wide

__all__ = ["WideFixtures"]


@final
class WideFixtures:
    """The fixtures of a run that are live and outlive a test."""

    def __init__(self, contexts: Contexts, leaks: Leaks) -> None:
        self._contexts = contexts
        self._leaks = leaks
        self._live: dict[Definition, None] = {}

    def __iter__(self) -> Iterator[Wide]:
        """Yield what each fixture holds."""
        for definition in self._live:
            owner = self._live_one(definition)
            yield Wide(owner, (*held_by(definition), *(() if owner is None else owner.held())))

    def _live_one(self, definition: Definition) -> LiveFixture | None:
        """Return a live async fixture, or the last one that a live sync fixture depends on."""
        live = [each for each in self._contexts.legacies.get(definition, ((),))[0] if isinstance(each, LiveFixture)]
        # A fixture needs everything that those which it depends on need.
        return max(live, key=lambda each: len(each.needs), default=None)

    def begin(self, definition: Definition, party: Party) -> Callable[[], None]:
        """Begin the set-up of a fixture, called `party` in messages. Call the returned function when it is set up."""

        def end() -> None:
            self._leaks.end_fixture(party)

        definition.addfinalizer(end)  # finalizers run in reverse order
        before = self._leaks.running()

        def is_set_up() -> None:
            owner = self._live_one(definition)
            self._leaks.assign(before, party, None if owner is None or owner.host.is_in_thread else owner.host)
            self._live[definition] = None
            definition.addfinalizer(begin_end)

        def begin_end() -> None:
            self._live.pop(definition, None)

        return is_set_up
