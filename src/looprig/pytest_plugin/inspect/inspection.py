"""The base class of the options that inspect fixtures: they collect tests, report on them, and run none.

Invariants:
1. Errors during collection are reported, but don't stop an inspection.
2. The exit status is 1 if something was found, or else 2 if something could not be collected. Other plugins can't
   change that, although some treat a run without tests as a failure.
"""

import atexit
import gc
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from looprig.check.edges import Finding
from looprig.check.stubs import Stubs
from looprig.exceptions import LooprigError
from looprig.location import is_foreign
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.inspect.types import FixtureTypes

__all__ = ["Inspection"]


class Loops(Protocol):
    """The part of the loop plan that an inspection uses."""

    def loops_of(self, definition: Definition) -> set[str]:
        """Return a description of the loops that a fixture is on."""
        ...


class Inspection(ABC):
    """One inspection, registered as a plugin when the session starts."""

    title: str
    """The title of its report."""
    loops: Loops

    def __init__(self, session: pytest.Session, registry: Registry) -> None:
        config = session.config
        stubs = Stubs([Path(folder) for folder in config.getini("fixture_stubs")])
        self._own: dict[str, bool] = {}
        self.config: pytest.Config = config
        self.items: list[pytest.Item] = []
        self.errors: list[LooprigError] = []
        self.lines: list[str] = []
        self.uncollected: list[str] = []
        """The modules and folders that could not be collected."""
        self.findings: list[Finding] = []
        """The mistakes that were found: the exit status says whether there are any."""
        self.registry: Registry = registry
        self.root: Path = config.rootpath
        self.types: FixtureTypes = FixtureTypes(registry, stubs)

    @abstractmethod
    def report(self, session: pytest.Session) -> Iterator[str]:
        """Inspect `self.items`, and yield the lines to show."""

    def stand_ins(self) -> Sequence[pytest.Item]:
        """Return tests to inspect in addition to those of the suite. They are never run."""
        return ()

    def note(self, errors: Iterable[LooprigError], loops: Loops) -> None:
        """Record the errors of the checks, and the loop plan."""
        self.errors += errors
        self.loops = loops

    def is_own(self, path: str) -> bool:
        """Return whether a file belongs to the project, and not to a package installed inside the project's folder."""
        found = self._own.get(path)
        if found is None:
            found = self._own[path] = Path(path).is_relative_to(self.root) and not is_foreign(path)
        return found

    def is_whole(self, path: str) -> bool:
        """Return whether all tests that may use a file were collected: the file or a folder around it was selected."""
        named = [Path(str(argument).partition("::")[0]) for argument in self.config.args if "::" not in str(argument)]
        return any(Path(path).is_relative_to(self.config.invocation_params.dir / each) for each in named)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Record all items before `-k` and `-m` deselect some, since these options only select tests to run."""
        self.items = list(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record what can't be collected. Everything else is still inspected."""
        if report.failed:
            self.uncollected.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        """Inspect, instead of running tests."""
        # The objects created here live until the process ends, which is soon. Collecting garbage among them, as the
        # interpreter does several times on exit, would take as long as everything else. They are frozen on exit only:
        # a process that calls `pytest.main()` goes on, and `gc.get_referrers()` doesn't look at frozen objects.
        atexit.register(gc.freeze)
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            self.lines += self.report(session)
        except LooprigError as error:
            raise pytest.UsageError(str(error)) from error
        finally:
            if was_enabled:
                gc.enable()
        session.testsfailed += len(self.findings)
        # As late as possible, since pytest-cov and others set the exit status if no tests ran, each in another hook.
        self.config.add_cleanup(lambda: setattr(session, "exitstatus", self._exit_status()))
        return True

    def _exit_status(self) -> pytest.ExitCode:
        if self.findings:
            return pytest.ExitCode.TESTS_FAILED
        if self.uncollected:
            return pytest.ExitCode.INTERRUPTED
        return pytest.ExitCode.OK if self.items else pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the report."""
        if self.lines:
            terminalreporter.section(self.title)
        for line in self.lines:
            terminalreporter.write_line(line)

    def error_count(self) -> Iterator[str]:
        """Yield the number of wrong declarations, for a report that doesn't show them."""
        if self.errors:
            count = len({str(error) for error in self.errors})
            what = "1 declaration is" if count == 1 else f"{count} declarations are"
            yield f"{what} wrong: pytest --check-fixtures shows where."
