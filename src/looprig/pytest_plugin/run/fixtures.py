"""The hook that sets up fixtures: it puts a plain function in place of a fixture's own.

Does not run fixtures (`async_fixtures` and `sync_fixtures` do), and ignores those of other plugins.

Invariant: a fixture's function is replaced only during its set-up. Its definition stays as it was.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.exceptions import TimeoutExpiredError
from looprig.pytest_plugin._compat.calls import bound_function
from looprig.pytest_plugin._compat.requests import item_of
from looprig.pytest_plugin.run.admission import Admission
from looprig.pytest_plugin.run.async_fixtures import AsyncFixtures
from looprig.pytest_plugin.run.dependencies import Dependencies
from looprig.pytest_plugin.run.requests import forget_failure
from looprig.pytest_plugin.run.sync_fixtures import SyncFixtures

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.loops.loop_plan import LoopPlan
    from looprig.pytest_plugin.peers.active import Peers
    from looprig.pytest_plugin.run.contexts import Contexts
    from looprig.pytest_plugin.run.crashes import Crashes
    from looprig.pytest_plugin.run.dependencies import Facts
    from looprig.pytest_plugin.run.hosts import Hosts
    from looprig.pytest_plugin.run.limits import Limits
    from looprig.pytest_plugin.run.requests import Requests
    from looprig.pytest_plugin.run.threaded_fixtures import ThreadedFixtures
    from looprig.pytest_plugin.watch.watchdogs import Watchdogs

__all__ = ["FixtureSetup"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class FixtureSetup:
    """The set-up of all fixtures that looprig runs."""

    def __init__(
        self,
        loops: LoopPlan,
        hosts: Hosts,
        *,
        contexts: Contexts,
        crashes: Crashes,
        limits: Limits,
        requests: Requests,
        watchdogs: Watchdogs,
    ) -> None:
        registry, peers = loops.registry, loops.settings.owners
        self.admission: Final = Admission(hosts, loops)
        dependencies = Dependencies(contexts, registry)
        async_fixtures = AsyncFixtures(
            hosts,
            admission=self.admission,
            contexts=contexts,
            crashes=crashes,
            dependencies=dependencies,
            limits=limits,
            registry=registry,
            requests=requests,
        )
        sync_fixtures = SyncFixtures(
            hosts,
            admission=self.admission,
            async_fixtures=async_fixtures,
            contexts=contexts,
            dependencies=dependencies,
            limits=limits,
            requests=requests,
        )

        @cache
        def threaded_fixtures() -> ThreadedFixtures:
            from looprig.pytest_plugin.run.threaded_fixtures import ThreadedFixtures  # noqa: PLC0415 - few suites

            return ThreadedFixtures(
                hosts,
                contexts=contexts,
                crashes=crashes,
                dependencies=dependencies,
                limits=limits,
                registry=registry,
            )

        self._limits = limits
        self._watchdogs = watchdogs
        self._contexts = contexts
        self._async = async_fixtures.substitute
        self._sync = sync_fixtures.substitute
        self._threaded = threaded_fixtures
        self._dependencies = dependencies
        self._ends = hosts.ends
        self._hosts = hosts
        self._facts = dependencies.facts
        self._peers = peers or None
        self._adoption = peers.adoption or None

    # First, so that looprig sees the fixture before other plugins, which then see a plain function.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: Definition, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Replace the fixture's function by a plain one while pytest sets the fixture up."""
        facts = self._facts.get(fixturedef)
        if facts is None or facts.function is not fixturedef.func:
            facts = self._dependencies.look_up(fixturedef)
        item = item_of(request)
        if self._peers is not None and _is_of_peer(self._peers, fixturedef, facts, item):
            return (yield)
        if self._ends.item is not item:
            self._ends.begin(item)
        function = facts.function if facts.is_plain else bound_function(fixturedef, request)
        if self._adoption is not None and self._adoption.gives_loop(fixturedef):
            function = partial(self._loop_of, item, fixturedef)
        elif self._adoption is not None and (stand_in := self._adoption.stand_in(fixturedef, item)) is not None:
            function = stand_in
        if facts.in_thread is not None:
            substitute: Any = self._threaded().substitute(fixturedef, facts, facts.in_thread, request, item)
        else:
            make = self._async if facts.is_async else self._sync
            substitute = make(fixturedef, facts, function, request, item)
        # pytest's errors show the source of the substitute, and other plugins look at its module.
        substitute.__wrapped__ = function
        substitute.__module__ = facts.module
        definition: Any = fixturedef
        definition.func = substitute
        is_set_up = None
        if request.node is not item:
            party = facts.label, facts.location
            is_set_up = self._watchdogs.begin_fixture(fixturedef, party, self._contexts)
        try:
            if is_set_up is None:
                return (yield)
            value = yield
            is_set_up()
            return value  # noqa: TRY300 - an error of `is_set_up` is handled too
        except BaseException as error:
            is_late = self._limits.is_own and request.node is not item and isinstance(error, TimeoutExpiredError)
            forget_failure(error, fixturedef, request, is_by_test=is_late)
            raise
        finally:
            definition.func = facts.function

    def _loop_of(self, item: pytest.Function, definition: Definition, **arguments: object) -> object:
        loop = self._hosts.of_item(item).loop
        if self._adoption is not None:
            self._adoption.loop_given(definition, loop, arguments)
        return loop


def _is_of_peer(peers: Peers, definition: Definition, facts: Facts, item: pytest.Function) -> bool:
    """Return whether another plugin runs the fixture, or the test that a sync fixture is set up for."""
    if facts.in_thread is not None:
        return False
    if facts.is_async or facts.hides_async:
        return peers.owner_of_fixture(definition, item) is not None
    return peers.owner_of_test(item) is not None
