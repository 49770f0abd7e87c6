"""The objects of `run`, which are created and registered once a run needs a loop.

Invariant: whatever is installed here is removed when the run ends.
"""

from __future__ import annotations

import asyncio
import signal
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest

from looprig.exceptions import ExtraMissingError
from looprig.pytest_plugin._compat import all_definitions
from looprig.pytest_plugin._compat.instances import make_dynamic
from looprig.pytest_plugin.is_async import is_own_loop
from looprig.pytest_plugin.options import Options
from looprig.pytest_plugin.peers import has_other_runners
from looprig.pytest_plugin.run.contexts import Contexts
from looprig.pytest_plugin.run.crashes import Crashes
from looprig.pytest_plugin.run.first_fixture import FirstFixture
from looprig.pytest_plugin.run.host_factory import HostFactory
from looprig.pytest_plugin.run.hosts import Hosts
from looprig.pytest_plugin.run.limits import Limits
from looprig.pytest_plugin.run.tests import Runner
from looprig.pytest_plugin.watch.guards import Guards
from looprig.pytest_plugin.watch.watchdogs import Watchdogs
from looprig.runtime.interrupts import Interrupts

if TYPE_CHECKING:
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.loops.loop_plan import LoopPlan
    from looprig.pytest_plugin.run.fixtures import FixtureSetup
    from looprig.pytest_plugin.run.requests import Requests

__all__ = ["activate"]

_SIGTERM_STATUS = 128 + signal.SIGTERM
"""The exit status that shells report for a process ended by SIGTERM."""


def activate(session: pytest.Session, loops: LoopPlan) -> Runner:
    """Register the hooks that run async tests and fixtures, and return the runner of tests."""
    if asyncio.events._get_running_loop() is not None:  # noqa: SLF001 - as asyncio's own modules ask
        raise pytest.UsageError(
            "pytest was started by code that runs on an event loop (in a notebook, or by pytest.main in a coroutine), "
            "and this suite has async tests or fixtures: their loops can't run inside of another. "
            "Start pytest in a process of its own, or in a thread: await asyncio.to_thread(pytest.main)."
        )
    config = session.config
    options = Options(config)
    try:
        options.loop_factory()  # report a missing factory before any test runs
    except ExtraMissingError as error:
        raise pytest.UsageError(str(error)) from error
    interrupts = Interrupts(
        {
            signal.SIGINT: KeyboardInterrupt,
            signal.SIGTERM: lambda: pytest.exit.Exception("terminated by SIGTERM", _SIGTERM_STATUS),
        }
    )
    config.add_cleanup(interrupts.uninstall)

    settings, registry = loops.settings, loops.registry
    limits = Limits(
        settings,
        options,
        interrupts,
        hint=lambda item: _hint(registry, item),
        explain=partial(_explain, registry),
        give_up=lambda: _give_up(config, options),
    )
    hosts = Hosts(loops, HostFactory(settings, options), limits)
    contexts = Contexts()
    crashes = Crashes(contexts, hosts.ends)

    @cache
    def requests() -> Requests:
        from looprig.pytest_plugin.run.requests import Requests  # noqa: PLC0415 - not before something is requested

        return Requests(contexts, registry)

    @cache
    def fixtures() -> FixtureSetup:
        from looprig.pytest_plugin.run.fixtures import FixtureSetup  # noqa: PLC0415 - not before the first fixture

        return FixtureSetup(
            loops,
            hosts,
            contexts=contexts,
            crashes=crashes,
            limits=limits,
            requests=requests(),
            watchdogs=watchdogs,
        )

    # Only necessary if other hooks may call tests, since it costs time in every test.
    may_be_called = has_other_runners(config)
    watchdogs = Watchdogs(config, settings.owners)
    watchdogs.patrol = Guards(config, watchdogs, limits, options.blocking).patrol
    runner = Runner(
        hosts,
        contexts=contexts,
        crashes=crashes,
        limits=limits,
        requests=requests,
        interrupts=interrupts,
        peers=settings.owners,
        has_other_runners=may_be_called,
        ends_when_stuck=options.ends_when_stuck,
        watchdogs=watchdogs,
    )

    hosts.subscribe(watchdogs.add_host)
    hosts.on_end = watchdogs.leaks.end_test
    registry.report_left_open = watchdogs.note_left_open
    for definition in all_definitions(session):
        if is_own_loop(definition):
            make_dynamic(definition, lambda request: fixtures().admission.host_for_loop(request).loop)
    manager = config.pluginmanager
    if loops.fixtures:
        manager.register(fixtures(), "looprig.fixture_setup")
    else:
        manager.register(FirstFixture(manager, fixtures), "looprig.first_fixture")
    manager.register(runner, "looprig.runner")
    if may_be_called:
        manager.register(runner.wrapped_tests, "looprig.wrapped_tests")
    return runner


def _hint(registry: Registry, item: pytest.Item) -> str:
    from looprig.pytest_plugin.run.standstill import Standstill  # noqa: PLC0415 - only for an error

    return Standstill(registry).hint(item)


def _explain(registry: Registry, item: pytest.Item, error: Exception, *, is_sync: bool) -> None:
    from looprig.pytest_plugin.run.standstill import Standstill  # noqa: PLC0415 - only for an error

    Standstill(registry).explain(item, error, is_sync=is_sync)


def _give_up(config: pytest.Config, options: Options) -> None:
    from looprig.pytest_plugin.run.giving_up import give_up  # noqa: PLC0415 - only for an error

    give_up(config, ends=options.ends_when_stuck)
