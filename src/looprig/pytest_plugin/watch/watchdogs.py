"""The watchdogs of a run: what they find while a test runs on a loop fails it, or is shown at the end of the run.

Unlike a `Watcher`, a watchdog asks for nothing: it notes what it finds, when it finds it. So a test in which nothing is
found pays nothing. Does not watch anything itself (`looprig.watch` does).

Invariants:
1. Each finding is reported once: as the failure of the running test, as a note on the failure that it has anyway, or in
   the summary.
2. Only a test that looprig runs on a loop is watched. What other tests cause goes to whoever would report it without
   looprig.
3. No test fails for what an earlier one may have left: such a finding is shown in the summary.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.exceptions import LooprigError
from looprig.pytest_plugin.options import ALLOW, NOTED, WATCHDOGS, read_ini
from looprig.pytest_plugin.peers.active import Peers
from looprig.runtime.errors import raise_together
from looprig.watch.background import Background
from looprig.watch.descriptions import Finding

if TYPE_CHECKING:
    from looprig.pytest_plugin.watch.policies import Policies
    from looprig.runtime.host import Host

__all__ = ["Watchdogs"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Watchdogs:
    """The watchdogs, and what they have found in the current test."""

    def __init__(self, config: pytest.Config, peers: Peers) -> None:
        self._background: Final = Background(self)
        self._config = config
        self._item: pytest.Item | None = None
        self._peers = peers
        self.found: Final[list[Finding]] = []
        """What was found and not reported yet."""
        if config.getoption(WATCHDOGS) is not None or any(read_ini(config, name) for name in (ALLOW, WATCHDOGS)):
            _ = self._policies  # report wrong values before any test runs
        self._background.start()
        config.add_cleanup(self._background.stop)

    @cached_property
    def _policies(self) -> "Policies":
        from looprig.pytest_plugin.watch.policies import Policies  # noqa: PLC0415 - few runs have findings

        return Policies(self._config, self._peers)

    # What is watched

    def add_host(self, host: "Host", item: pytest.Item) -> None:
        """Watch a loop that has just been opened, and the test that it is opened for."""
        self._background.attach(host.loop)
        if self._item is not item:
            self.begin(item)

    def begin(self, item: pytest.Item) -> None:
        """Begin to watch a test that runs on a loop."""
        self._item = item
        self._background.begin_test()

    def leave(self) -> None:
        """Stop watching: the next test is none that looprig runs on a loop."""
        self._item = None

    # What is found

    @property
    def is_open(self) -> bool:
        """Whether a test is watched now."""
        return self._item is not None

    def note(self, finding: Finding) -> None:
        """Note a finding about the test that is watched."""
        self.found.append(finding)

    def search(self, host: "Host") -> None:
        """Find failed tasks in reference cycles. Call it after a test that started tasks."""
        if not host.loop.is_closed():
            self._background.collect(host.loop)

    def take(self) -> list[LooprigError]:
        """Return the errors that the current test fails for. What was found counts as reported from now on."""
        item = self._item
        found, self.found[:] = [*self.found], []
        return [] if item is None else [finding.error for finding in found if self._fails(item, finding)]

    def _fails(self, item: pytest.Item, finding: Finding) -> bool:
        """Return whether a test fails for a finding. If it is a warning, show it at the end of the run."""
        policy = self._policies.of(item, finding.kind)
        if policy == "off" or (finding.cause is not None and self._policies.allow(item, finding.cause)):
            return False
        if policy == "error" and not finding.is_late:
            return True
        noted = (NOTED, str(finding.error))
        if noted not in item.user_properties:
            item.user_properties.append(noted)
        return False

    def fail(self) -> None:
        """Fail the current test for what was found."""
        raise_together(self.take(), "failures in the background")

    def add_to(self, failure: BaseException) -> None:
        """Add what was found to the failure that the current test has anyway."""
        for error in self.take():
            if error.__cause__ is not failure:
                failure.add_note(str(error))
