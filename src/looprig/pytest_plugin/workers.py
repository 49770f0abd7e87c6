"""The workers of pytest-xdist: whether this process is one, and what the controller tells each of them.

Loads nothing. Does not share anything (`shared_run` does).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    import pytest

    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.shared_run import SharedRun

__all__ = ["is_worker", "report_sharing", "shared_run", "tell_worker"]

_CONTROLLER: Final = "looprig.controller"
_FAILURES: Final = "looprig.failures_to_stop"
_MACHINE: Final = "looprig.machine"
_SHARES: Final = "looprig.shares"
_PLUGIN: Final = "looprig.shared_run"


def is_worker(config: pytest.Config) -> bool:
    """Return whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def tell_worker(node: Any) -> None:
    """Tell a worker, before it starts, which process controls it, and clean up after the run."""
    node.workerinput[_CONTROLLER] = os.getpid()
    node.workerinput[_MACHINE] = platform.node()
    manager = node.config.pluginmanager
    if not manager.has_plugin(_CONTROLLER):
        manager.register(_Controller(run_of(node.workerinput)), _CONTROLLER)


@final
class _Controller:
    """The hooks of the process that controls the workers."""

    def __init__(self, run: str) -> None:
        self._failures: list[str] = []
        self._may_have_left = False
        self._run = run

    def pytest_testnodedown(self, node: Any) -> None:
        """Receive what failed when the last worker gave its lease back. A worker that was killed sends nothing."""
        output: dict[str, Any] = getattr(node, "workeroutput", None) or {}
        self._failures += output.get(_FAILURES, ())
        self._may_have_left |= not output or _SHARES in output

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let the run fail for it."""
        if self._failures and session.exitstatus == 0:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show it."""
        if self._failures:
            terminalreporter.section('looprig: errors while services of scope "run" were stopped')
            for text in self._failures:
                terminalreporter.write_line(text)

    def pytest_unconfigure(self) -> None:
        """Remove the folder of a run whose host was killed. Any other host removes it itself."""
        if not self._may_have_left:
            return
        from looprig.posix import is_posix  # noqa: PLC0415 - at the end only
        from looprig.services.sharing.folder import RunFolder  # noqa: PLC0415 - the same

        if is_posix():
            RunFolder.of(self._run).remove_if_left()


def report_sharing(config: pytest.Config, failures: Sequence[str]) -> None:
    """Tell the controller, before the session ends, that this worker shared services, and what failed."""
    output: Any = config
    output.workeroutput[_SHARES] = True
    output.workeroutput[_FAILURES] = failures


def run_of(given: Mapping[str, Any]) -> str:
    """Return the id of a run, from what the controller gives a worker."""
    return f"{given.get('testrunuid')}-{given.get(_CONTROLLER, 0)}"


def shared_run(config: pytest.Config, registry: Registry) -> SharedRun:
    """Return the run that this worker shares services with, whose hooks are registered the first time."""
    found: SharedRun | None = config.pluginmanager.get_plugin(_PLUGIN)
    if found is None:
        from looprig.pytest_plugin.shared_run import SharedRun  # noqa: PLC0415 - most runs share nothing

        given: dict[str, Any] = getattr(config, "workerinput", {})
        is_here = given.get(_MACHINE) == platform.node()  # pytest-xdist can start workers on other machines
        controller: int = given.get(_CONTROLLER, 0) if is_here else 0
        found = SharedRun(run_of(given), controller, registry)
        config.pluginmanager.register(found, _PLUGIN)
    return found
