"""Sections at the end of a run. With pytest-xdist, they are sent to the controller, since only workers collect.

Does not compute their content. Registered only if an option requests such a section.

Invariants:
1. Every worker collects the same, so the sections of the first one are shown, and a crashed worker doesn't matter.
2. The content consists of lists, dicts, strings and numbers, so that it can be sent.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, final

import pytest

__all__ = ["Sections", "Show"]

_KEY: Final = "looprig.sections"
_USAGE_ERROR: Final = "usage error"

Show = Callable[[pytest.TerminalReporter, Any], None]


@final
class Sections:
    """The sections of one run. `shows` maps the name of each to the function that shows it, in order."""

    def __init__(self, config: pytest.Config, shows: Mapping[str, Show]) -> None:
        self._config = config
        self._notes: dict[str, Any] = {}
        self._shows = shows

    def note(self, name: str, what: object) -> None:
        """Record the content of a section."""
        self._notes[name] = what

    def note_usage_error(self) -> None:
        """Let a run that has no other failure end with the exit status of a usage error.

        A worker can't raise one: pytest-xdist would show an internal error of its own.
        """
        self._notes[_USAGE_ERROR] = True

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the sections to pytest-xdist's controller, in a worker."""
        output: dict[str, object] | None = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self._notes
        elif _USAGE_ERROR in self._notes and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Receive the sections of a worker. A crashed worker sends none."""
        output: dict[str, Any] = getattr(node, "workeroutput", None) or {}
        self._notes = {**output.get(_KEY, {}), **self._notes}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the sections."""
        for name, show in self._shows.items():
            if name in self._notes:
                show(terminalreporter, self._notes[name])
