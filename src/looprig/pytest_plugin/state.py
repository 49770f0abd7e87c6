"""What the plugin knows during one run, kept on the config: nothing is in a module global.

Does not act: `planning` and `running` do.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from looprig.pytest_plugin.collection.hooks import Collecting
    from looprig.pytest_plugin.inspect.inspection import Inspection
    from looprig.pytest_plugin.loops.planning import Planning
    from looprig.pytest_plugin.run.hosts import Hosts
    from looprig.pytest_plugin.run.tests import Running
    from looprig.pytest_plugin.run.waking import Waking

__all__ = ["RunState", "state_of"]


@dataclass(slots=True)
class RunState:
    """One run: who watches the collection, then the plan, then the open loops."""

    collecting: "Collecting | None" = None
    planning: "Planning | None" = None
    hosts: "Hosts | None" = None
    looking: "Inspection | None" = None
    running: "Running | None" = None
    waking: "Waking | None" = None


KEY: Final = pytest.StashKey[RunState]()


def state_of(config: pytest.Config) -> RunState:
    """The state of the run that `config` belongs to."""
    state = config.stash.get(KEY, None)
    if state is None:
        state = config.stash[KEY] = RunState()
    return state
