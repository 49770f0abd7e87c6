"""The watchdogs of a run. A finding fails the test that is running on a loop, or is shown at the end of the run.

A `Watcher` is called at several points of each test. A watchdog isn't: it adds a finding to a list as soon as something
fails. So a test without findings costs almost nothing. Does not watch anything itself (`looprig.watch` does).

Invariants:
1. Each finding is reported once: as the failure of the running test, as a note on another failure of that test, or in
   the summary.
2. Only a test that looprig runs on a loop is watched. Failures in other tests are reported as they are without looprig.
   But a fixture that leaves something when it ends fails the test after which it ends, whichever that is.
3. No test fails for a finding that an earlier one may have caused. Such a finding is shown in the summary.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.location import location_of
from looprig.pytest_plugin.options import ALLOW, USED_MARKERS, WATCHDOGS, read_ini
from looprig.pytest_plugin.properties import BLOCKED, NOTED
from looprig.watch.background import Background
from looprig.watch.blocking import Block
from looprig.watch.leaks import Leaks, Wide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from looprig.declare.watchdogs import Kind, Policy
    from looprig.exceptions import LooprigError
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.peers.active import Peers
    from looprig.pytest_plugin.run.contexts import Contexts
    from looprig.pytest_plugin.watch.policies import Policies
    from looprig.pytest_plugin.watch.wide_fixtures import WideFixtures
    from looprig.runtime.host import Host
    from looprig.runtime.tasks import Party
    from looprig.watch.descriptions import Finding
    from looprig.watch.leak_reports import LeftOpen
    from looprig.watch.patrol import Patrol

__all__ = ["Watchdogs"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Watchdogs:
    """The watchdogs, and what they have found in the current test."""

    def __init__(self, config: pytest.Config, peers: Peers) -> None:
        self._background: Final = Background(self)
        self._config = config
        self._failed: pytest.Item | None = None
        self._item: pytest.Item | None = None
        self._may_list = True
        self._unwatched: pytest.Item | None = None
        self._wide: WideFixtures | None = None
        self.leaks: Final = Leaks(self)
        self._peers = peers
        self.found: Final[list[Finding | Block]] = []
        """The findings that are not reported yet."""
        self.observe_block: Callable[[Block], None] | None = None
        """Called with each block of a loop once it is over, or once its test is judged."""
        self.patrol: Patrol | None = None
        self.phase: tuple[pytest.Item, str] | None = None
        """The current phase of the test that is being watched."""
        if config.getoption(WATCHDOGS) is not None or any(read_ini(config, name) for name in (ALLOW, WATCHDOGS)):
            _ = self._policies  # report wrong values before any test runs
        self._background.start()
        config.add_cleanup(self._background.stop)
        config.add_cleanup(self.leave)  # whatever Python frees at its exit is nothing to look at

    @cached_property
    def _policies(self) -> Policies:
        from looprig.pytest_plugin.watch.policies import Policies  # noqa: PLC0415 - few runs have findings

        return Policies(self._config, self._peers)

    # What is watched

    def add_host(self, host: Host, item: pytest.Item) -> None:
        """Watch a loop that has just been opened, and the test for which it was opened."""
        self._background.attach(host.loop)
        if not isinstance(host.loop, asyncio.BaseEventLoop):  # it doesn't show which descriptors are its own
            self._may_list, self.leaks.is_listing = False, False
        host.observer = self.leaks
        if self._item is not item:
            self.begin(item)

    def begin(self, item: pytest.Item) -> None:
        """Begin to watch a test that runs on a loop."""
        if self._item is None:
            self.leaks.is_listing = self._may_list and self._has_asked()
        self._item = item
        if self.found:  # since the teardown of another test, for example when pytest dropped the values of its fixtures
            self.found[:] = [each._replace(is_late=True) for each in self.found if not isinstance(each, Block)]
        self._background.begin_test()
        self.leaks.begin_test()
        if self.patrol is not None and not self.patrol.is_under_way:
            self.patrol.start()

    def leave(self, item: pytest.Item | None = None) -> None:
        """Stop watching: the next test, `item`, isn't one that looprig runs on a loop."""
        self._item, self._unwatched = None, item
        self.phase = None
        self.leaks.leave()

    def begin_fixture(self, definition: Definition, party: Party, contexts: Contexts) -> Callable[[], None]:
        """Begin the set-up of a fixture that outlives the test. Call the returned function when it is set up."""
        if self._wide is None:
            from looprig.pytest_plugin.watch.wide_fixtures import WideFixtures  # noqa: PLC0415 - not before the first

            self._wide = WideFixtures(contexts, self.leaks)
        return self._wide.begin(definition, party)

    def wide(self) -> Iterable[Wide]:
        """Return the live fixtures that outlive the test."""
        return () if self._wide is None else self._wide

    def _has_asked(self) -> bool:
        """Return whether an option or marker may ask for file descriptors, which aren't looked for by default."""
        is_asked_for = "_policies" in vars(self) and self._policies.may_apply("descriptors")
        return is_asked_for or WATCHDOGS in self._config.stash.get(USED_MARKERS, ())

    # What is found

    @property
    def is_open(self) -> bool:
        """Whether a test is being watched."""
        return self._item is not None

    def note(self, finding: Finding) -> None:
        """Note a finding about the test that is being watched."""
        self.found.append(finding)

    def note_left_open(self, left: Sequence[LeftOpen]) -> None:
        """Note the streams and websockets that the test has left open, and that were closed with its client."""
        item = self._item or self._unwatched
        if item is not None and self.wants("transports"):
            from looprig.watch.leak_reports import finding_of_open  # noqa: PLC0415 - few tests leak anything

            self.note(finding_of_open(left, (item.name, location_of(getattr(item, "obj", None)))))

    def note_block(self, block: Block) -> None:
        """Note a block of the loop, which may still last."""
        self.found.append(block)

    def policy(self, kind: Kind) -> Policy:
        """Return the policy for a kind of finding in the current test."""
        return "off" if self._item is None else self._policies.of(self._item, kind)

    def note_failure(self, item: pytest.Item) -> None:
        """Record that an exception has ended a test. If it left something, that is probably a consequence."""
        self._failed = item

    def wants(self, kind: Kind) -> bool:
        """Return whether a finding of this kind matters in the test that runs, or that is torn down."""
        item = self._item or self._unwatched
        return item is not None and item is not self._failed and self._policies.of(item, kind) != "off"

    def search(self, host: Host) -> None:
        """Find failed tasks in reference cycles. Call it after a test that started tasks."""
        if not host.loop.is_closed():
            self.leaks.pin(host)
            self._background.collect(host.loop)

    def take(self) -> list[LooprigError]:
        """Return the errors that the current test fails for. From now on, all findings count as reported."""
        item = self._item or self._unwatched
        found, self.found[:] = [*self.found], []
        if self.observe_block is not None:
            for each in found:
                if isinstance(each, Block):
                    self.observe_block(each)
        return [] if item is None else [each.error for each in found if self._fails(item, each)]

    def _fails(self, item: pytest.Item, finding: Finding | Block) -> bool:
        """Return whether a test fails for a finding. If it only warns, keep it for the end of the run."""
        if isinstance(finding, Block):
            policy = self._policies.of(item, "blocking")
            noted = (BLOCKED, f"{finding.seconds:.3f} {finding.place[1]} in {finding.place[0]}")
            is_late = False
        else:
            policy = self._policies.of(item, finding.kind)
            if finding.cause is not None and self._policies.allow(item, finding.cause):
                return False
            noted = (NOTED, str(finding.error))
            is_late = finding.is_late
        if policy == "off":
            return False
        if policy == "error" and not is_late:
            return True
        if noted not in item.user_properties:
            item.user_properties.append(noted)
        return False

    def fail(self) -> None:
        """Raise the errors that the current test fails for, if any."""
        item = self._item or self._unwatched
        errors = self.take()
        if not errors or item is None:
            return
        from looprig.pytest_plugin.watch.raising import at_definition  # noqa: PLC0415 - few tests have findings

        raise at_definition(item, errors[0] if len(errors) == 1 else ExceptionGroup("findings of watchdogs", errors))

    def add_to(self, failure: BaseException, host: Host | None = None) -> None:
        """Add the findings, and tasks that have failed on a loop, as notes to another failure of the current test."""
        for error in self.take():
            if error.__cause__ is not failure:
                failure.add_note(str(error))
        if host is None or not host.spawners or self._item is None or isinstance(failure, pytest.skip.Exception):
            return
        from looprig.pytest_plugin.watch.causes import add_causes  # noqa: PLC0415 - only for failures

        add_causes(failure, self._item, host.loop, self._policies)
