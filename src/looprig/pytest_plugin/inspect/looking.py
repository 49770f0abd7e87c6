"""What the options that look at fixtures have in common: they collect, look, tell, and run no test.

Does not look itself: `checking`, `revealing` and `annotating` do.

Invariant: what collection found wrong does not keep them from looking, and is told.
"""

import gc
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from looprig.check.stubs import Stubs
from looprig.exceptions import LooprigError
from looprig.location import is_foreign
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.inspect.types import FixtureTypes
from looprig.pytest_plugin.loops.loop_plan import LoopPlan

__all__ = ["Looking"]


class Looking(ABC):
    """One look."""

    title: str

    loops: LoopPlan

    def __init__(self, session: pytest.Session, registry: Registry) -> None:
        config = session.config
        stubs = Stubs([Path(folder) for folder in config.getini("fixture_stubs")])
        self._own: dict[str, bool] = {}
        self.config: pytest.Config = config
        self.items: list[pytest.Item] = []
        self.errors: list[LooprigError] = []
        self.lines: list[str] = []
        self.registry: Registry = registry
        self.root: Path = config.rootpath
        self.types: FixtureTypes = FixtureTypes(self.registry, stubs)

    @abstractmethod
    def look(self, session: pytest.Session) -> Iterator[str]:
        """Looks, and gives the lines to show."""

    def note(self, errors: Iterable[LooprigError], loops: LoopPlan) -> None:
        """Note what collection found out."""
        self.errors += errors
        self.loops = loops

    def is_own(self, path: str) -> bool:
        """Whether a file is the project's, and not of a package that is installed in it."""
        found = self._own.get(path)
        if found is None:
            found = self._own[path] = Path(path).is_relative_to(self.root) and not is_foreign(path)
        return found

    def is_whole(self, path: str) -> bool:
        """Whether all that a file may have to do with was collected: it, or a folder around it, was named."""
        named = [Path(str(argument).partition("::")[0]) for argument in self.config.args if "::" not in str(argument)]
        return any(Path(path).is_relative_to(self.config.invocation_params.dir / each) for each in named)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Notes all, before any is deselected: a selection is of tests to be run, and none is."""
        self.items = list(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        """Looks, in the place of running tests."""
        if session.testsfailed:
            raise session.Interrupted("what cannot be collected cannot be looked at")
        # What is made here stays until the process ends, which is soon: to search it for garbage, as the interpreter
        # does several times on its way out, would take as long as all else.
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            self.lines += self.look(session)
        except LooprigError as error:
            raise pytest.UsageError(str(error)) from error
        finally:
            gc.freeze()
            if was_enabled:
                gc.enable()
        return True

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Shows what was seen."""
        if self.lines:
            terminalreporter.section(self.title)
        for line in self.lines:
            terminalreporter.write_line(line)

    def errors_in_short(self) -> Iterator[str]:
        """That there were errors, for who does not tell them one by one."""
        if self.errors:
            count = len({str(error) for error in self.errors})
            what = "1 declaration is" if count == 1 else f"{count} declarations are"
            yield f"{what} wrong: pytest --check-fixtures tells where."
