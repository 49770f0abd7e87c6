"""What the plugin knows during one run, kept on the config: nothing is in a module global.

Does not act: `planning` and `running` do.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from looprig.pytest_plugin.owners import Owners
    from looprig.pytest_plugin.planning import Planning
    from looprig.pytest_plugin.registering import Registry
    from looprig.pytest_plugin.running import Running

__all__ = ["RunState", "state_of"]


@dataclass(slots=True)
class RunState:
    """One run: the plan once it is made, the runner once something needs a loop."""

    planning: "Planning | None" = None
    running: "Running | None" = None
    owners: "Owners | None" = None
    registry: "Registry | None" = None
    notes: list[str] = field(default_factory=list[str])


KEY: Final = pytest.StashKey[RunState]()


def state_of(config: pytest.Config) -> RunState:
    """The state of the run that `config` belongs to."""
    state = config.stash.get(KEY, None)
    if state is None:
        state = config.stash[KEY] = RunState()
    return state
