"""Puts the active part of the plugin together, once a run turns out to need a loop.

Invariant: what is installed here is taken back when the run ends.
"""

import asyncio
import signal

import pytest

from looprig.exceptions import ExtraMissingError
from looprig.pytest_plugin._compat import all_definitions
from looprig.pytest_plugin._compat.instances import make_dynamic
from looprig.pytest_plugin.is_async import is_own_loop
from looprig.pytest_plugin.loops.loop_plan import LoopPlan
from looprig.pytest_plugin.options import Options
from looprig.pytest_plugin.peers import has_other_runners
from looprig.pytest_plugin.run.fixtures import SettingUp
from looprig.pytest_plugin.run.hosts import Hosts
from looprig.pytest_plugin.run.tests import Running
from looprig.runtime.interrupts import Interrupts

__all__ = ["activate"]

_SIGTERM_STATUS = 128 + signal.SIGTERM
"""What shells report for a process that SIGTERM ended."""


def activate(session: pytest.Session, loops: LoopPlan) -> Running:
    """Register what runs async tests and fixtures, and return what runs the tests."""
    if asyncio.events._get_running_loop() is not None:  # noqa: SLF001 - as asyncio's own modules ask
        raise pytest.UsageError(
            "pytest was started by code that runs on an event loop (in a notebook, or by pytest.main in a coroutine), "
            "and this suite has async tests or fixtures: their loops can't run inside of another. "
            "Start pytest in a process of its own, or in a thread: await asyncio.to_thread(pytest.main)."
        )
    config = session.config
    options = Options(config)
    try:
        options.loop_factory()  # what there is not is told before any test runs
    except ExtraMissingError as error:
        raise pytest.UsageError(str(error)) from error
    interrupts = Interrupts(
        {
            signal.SIGINT: KeyboardInterrupt,
            signal.SIGTERM: lambda: pytest.exit.Exception("terminated by SIGTERM", _SIGTERM_STATUS),
        }
    )
    config.add_cleanup(interrupts.uninstall)
    hosts = Hosts(loops, options)
    owners = loops.settings.owners
    setting_up = SettingUp(hosts, owners, loops.registry)
    for definition in all_definitions(session):
        if is_own_loop(definition):
            make_dynamic(definition, lambda request: hosts.of_loop_request(request).loop)
    manager = config.pluginmanager
    manager.register(setting_up, "looprig.setting_up")
    # Only where other hooks may call tests has ours to come before them; it costs every test.
    may_be_called = has_other_runners(config)
    running = Running(hosts, setting_up, loops.settings, options, interrupts, has_other_runners=may_be_called)
    manager.register(running, "looprig.running")
    if may_be_called:
        manager.register(running.made_sync, "looprig.made_sync")
    return running
