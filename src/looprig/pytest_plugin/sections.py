"""Sections at the end of a run, whichever process found them out: with pytest-xdist, only workers collect.

Does not find anything out. Registered only for a run that was asked for such a section.

Invariants:
1. Each worker collects the same, so what the first one has to say is shown, and a worker that crashed is not missed.
2. What a worker notes is made of lists, dicts, strings and numbers, so that it can be sent.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, final

import pytest

__all__ = ["Sections", "Show"]

_KEY: Final = "looprig.sections"

Show = Callable[[pytest.TerminalReporter, Any], None]


@final
class Sections:
    """The sections of one run. `shows` has the function that shows each, by name, in order."""

    def __init__(self, config: pytest.Config, shows: Mapping[str, Show]) -> None:
        self._config = config
        self._notes: dict[str, Any] = {}
        self._shows = shows

    def note(self, name: str, what: object) -> None:
        """Keep what a section shows."""
        self._notes[name] = what

    def pytest_sessionfinish(self) -> None:
        """Hand over to pytest-xdist's controller, in a worker."""
        output: dict[str, object] | None = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self._notes

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker noted; one that crashed hands over nothing."""
        output: dict[str, Any] = getattr(node, "workeroutput", None) or {}
        self._notes = {**output.get(_KEY, {}), **self._notes}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the sections."""
        for name, show in self._shows.items():
            if name in self._notes:
                show(terminalreporter, self._notes[name])
