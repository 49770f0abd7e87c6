"""The hooks of collection: they find services at the moments when pytest finds fixtures.

Decides nothing: `registry` makes fixtures, `parameters` finds which parameters they answer, `collected` sums up.

Invariants:
1. Services of a conftest or module are fixtures before the first test below it is collected.
2. The hooks raise no errors. They keep them for `checks`, which finds the tests that they concern.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.pytest_plugin._compat import fixture_functions
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.configs import Configs
from looprig.pytest_plugin.is_async import is_plain
from looprig.pytest_plugin.peers.active import Peers

if TYPE_CHECKING:
    from looprig.aiomisc.dialect import Dialect
    from looprig.pytest_plugin.collection.parameters import BrokenDeclaration, Parameters

__all__ = ["Collection"]


@final
class Collection:
    """One collection: the services and requests found so far, and the hooks that find more.

    In a suite that declares nothing, none of the hooks is called, and nothing is looked for.
    """

    def __init__(self, session: pytest.Session) -> None:
        self.session: Final = session
        self.registry: Final = Registry(session, self._complete)
        self.configs: Final = Configs(session)
        self.owners: Final = Peers(session.config, self.configs, self.registry.is_used_by)
        self._conftests: dict[Path, ModuleType] = {}
        self._seen: set[object] = set()

    @cached_property
    def dialect(self) -> Dialect:
        """The modules that use aiomisc's dialect."""
        return _dialect_of(self.session.config)

    @cached_property
    def _parameters(self) -> Parameters:
        from looprig.pytest_plugin.collection.parameters import Parameters  # noqa: PLC0415 - if something is declared

        return Parameters(self.registry, self.dialect, starts_services=not self.owners.stands_back)

    @property
    def broken(self) -> list[BrokenDeclaration]:
        """The broken declarations found so far."""
        return self._parameters.broken if "_parameters" in self.__dict__ else []

    def begin(self) -> None:
        """Find the services of the plugins and conftests that are registered."""
        manager = self.session.config.pluginmanager
        for plugin in manager.get_plugins():
            self.pytest_plugin_registered(plugin, manager.get_name(plugin) or "")

    def _complete(self) -> None:
        if "_parameters" not in self.__dict__:
            self.begin()
            self.catch_up(dict.fromkeys(item.parent for item in self.session.items))

    def pytest_plugin_registered(self, plugin: object, plugin_name: str) -> None:
        """Find the services of a plugin or conftest. pytest registers some of them only during collection."""
        if not isinstance(plugin, ModuleType):
            return
        folder, root = Path(plugin_name).parent, self.session.config.rootpath
        # As in pytest, a conftest at or above the root is visible everywhere, as plugins are.
        if plugin_name.endswith("conftest.py") and folder != root and folder.is_relative_to(root):
            self._conftests[folder] = plugin
        else:
            self._parameters.add_module(plugin, self.session)

    def catch_up(self, collectors: Iterable[pytest.Collector | None]) -> None:
        """Find the services in modules, classes and conftests that were collected before this object was created."""
        for collector in collectors:
            for node in () if collector is None else collector.listchain():
                if isinstance(node, pytest.Directory):
                    self._see_conftest(node)
                elif is_plain(node):
                    self._see(node)

    def _see_conftest(self, folder: pytest.Directory) -> None:
        if conftest := self._conftests.pop(folder.path, None):
            self._parameters.add_module(conftest, folder)

    def _see(self, collector: pytest.Module | pytest.Class) -> None:
        if collector in self._seen:
            return
        self._seen.add(collector)
        holder: object = collector.obj  # a suite's own kind of module may give anything
        if isinstance(holder, ModuleType):
            self._parameters.add_module(holder, collector)
        elif isinstance(holder, type):
            self._parameters.add_class(holder, collector)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Find the services of a folder's conftest once pytest has read it."""
        report = yield
        if isinstance(collector, pytest.Directory):
            self._see_conftest(collector)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Module | pytest.Class, name: str, obj: object) -> None:
        """Find the services of a module or class before its first test, and resolve annotated parameters of a test."""
        self._see(collector)
        if self._parameters.may_answer(obj) and collector.istestfunction(obj, name):
            self._parameters.answer_test(obj, collector)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None, object, object]:
        """Give services the values of tests that parametrize their configuration."""
        from looprig.pytest_plugin.collection.configuration import configured_by  # noqa: PLC0415 - as above

        with configured_by(self.registry, metafunc):
            return (yield)


def _dialect_of(config: pytest.Config) -> Dialect:
    from looprig.aiomisc.dialect import PLUGIN, PREDECESSORS, Dialect  # noqa: PLC0415 - as above

    manager = config.pluginmanager
    asked = [*(config.option.plugins or ()), *os.environ.get("PYTEST_PLUGINS", "").split(",")]
    return Dialect(
        config.rootpath,
        fixture_functions,
        everywhere=PLUGIN in asked,
        off=any(manager.has_plugin(name) for name in PREDECESSORS),
    )
