"""The workers of pytest-xdist: whether this process is one, and what the controller tells each of them.

Loads nothing. Does not share anything (`shared_run` does).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pytest

    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.shared_run import SharedRun

__all__ = ["is_worker", "shared_run", "tell_worker"]

_CONTROLLER: Final = "looprig.controller"
_PLUGIN: Final = "looprig.shared_run"


def is_worker(config: pytest.Config) -> bool:
    """Return whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def tell_worker(node: Any) -> None:
    """Tell a worker, before it starts, which process controls it."""
    node.workerinput[_CONTROLLER] = os.getpid()


def shared_run(config: pytest.Config, registry: Registry) -> SharedRun:
    """Return the run that this worker shares services with, whose hooks are registered the first time."""
    found: SharedRun | None = config.pluginmanager.get_plugin(_PLUGIN)
    if found is None:
        from looprig.pytest_plugin.shared_run import SharedRun  # noqa: PLC0415 - most runs share nothing

        given: dict[str, Any] = getattr(config, "workerinput", {})
        controller = given.get(_CONTROLLER, 0)
        found = SharedRun(f"{given.get('testrunuid')}-{controller}", controller, registry)
        config.pluginmanager.register(found, _PLUGIN)
    return found
