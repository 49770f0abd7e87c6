"""The hooks of collection: sees services where pytest sees fixtures, and tells what is wrong with them.

Decides nothing itself: `registering` makes fixtures, `answering` says which parameters they answer, `planning` makes
the plan.

Invariants:
1. Services of a conftest or module are fixtures before the first test below it is collected.
2. What is wrong with a declaration is an error of the tests that it concerns, and of no other.
"""

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import final

import pytest

from looprig.exceptions import LooprigError
from looprig.pytest_plugin.checks.existence import Existence
from looprig.pytest_plugin.collection.dialect import Dialect
from looprig.pytest_plugin.collection.parameters import Answering
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.loops.settings import Settings
from looprig.pytest_plugin.peers.active import Peers

__all__ = ["Collecting"]


@final
class Collecting:
    """Watches one collection."""

    def __init__(self, session: pytest.Session) -> None:
        dialect = Dialect(session.config)
        self.registry: Registry = Registry(session)
        self.owners: Peers = Peers(session.config, self.registry.is_used_by)
        self.settings: Settings = Settings(session, self.owners, dialect)
        self._answering = Answering(self.registry, dialect)
        self._answering.wakes_entrypoint = not self.owners.stands_back
        self.existence: Existence = Existence(self.registry, self._answering.broken)
        self._session = session
        self._conftests: dict[Path, ModuleType] = {}
        self._classes: set[object] = set()
        manager = session.config.pluginmanager
        for plugin in manager.get_plugins():
            self._note(plugin, manager.get_name(plugin) or "")

    def _note(self, plugin: object, name: str) -> None:
        if not isinstance(plugin, ModuleType):
            return
        if not name.endswith("conftest.py"):
            self._answering.see(plugin, self._session)
            return
        folder = Path(name).parent
        # pytest does the same: a conftest at or above the root is visible everywhere.
        if folder == self._session.config.rootpath or not folder.is_relative_to(self._session.config.rootpath):
            self._answering.see(plugin, self._session)
        else:
            self._conftests[folder] = plugin

    def pytest_plugin_registered(self, plugin: object, plugin_name: str) -> None:
        """Notes a conftest that is found on the way."""
        self._note(plugin, plugin_name)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Sees a folder's conftest when pytest has read it."""
        report = yield
        if isinstance(collector, pytest.Directory) and (conftest := self._conftests.pop(collector.path, None)):
            self._answering.see(conftest, collector)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Module | pytest.Class, name: str, obj: object) -> None:
        """Sees a module or class before its first test, and answers a test's parameters by annotation."""
        if collector not in self._classes:
            self._classes.add(collector)
            if isinstance(collector, pytest.Module):
                self._answering.see(collector.obj, collector)
            else:
                self._answering.see_class(collector.obj, collector)
        if self._answering.may_answer(obj) and collector.istestfunction(obj, name):
            self._answering.answer_test(obj, collector)

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Has tests run once with each loop factory that the suite declares for them."""
        self.settings.parametrize(metafunc)

    def errors(self) -> list[LooprigError]:
        """Return all that is wrong with declarations, whether a test has to do with it or not."""
        return [*(wrong.error for wrong in self._answering.wrong), *(error for _, error in self.registry.late_errors())]

    def errors_of(self, items: Iterable[pytest.Item]) -> Iterator[tuple[pytest.Item, LooprigError]]:
        """Yield what is wrong with declarations, with each test that it concerns."""
        wrong, late = self._answering.wrong, dict[str, list[LooprigError]]()
        for name, error in self.registry.late_errors():
            late.setdefault(name, []).append(error)
        if not (wrong or late):
            return
        for item in items:
            if isinstance(item, pytest.Function):
                yield from ((item, each.error) for each in wrong if each.concerns(item))
                yield from ((item, error) for name in item.fixturenames for error in late.get(name, ()))
