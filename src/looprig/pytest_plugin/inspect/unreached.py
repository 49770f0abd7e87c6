"""Stand-in tests for the fixtures and services that no collected test uses.

For each such fixture, a test is created that uses it where it is defined. The test is never run and isn't among the
session's items. Through it, whatever checks tests also checks these fixtures.

Invariants:
1. A conftest of a folder that was not selected is read as pytest reads it when it collects that folder. If it can't be
   read, that is reported, and the inspection continues.
2. A fixture may request one that is defined only further down, for example in a test module. Such a fixture is
   incomplete, which isn't a mistake.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, final

import pytest

from looprig.exceptions import LooprigError
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition, all_definitions
from looprig.pytest_plugin._compat.closures import closure_of, function_ahead
from looprig.pytest_plugin._compat.definitions import placed_definitions
from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["Conftests", "StandIns"]

_CONFTEST: Final = "conftest.py"


@final
class Conftests:
    """The conftests that pytest has not read, because their folders were not selected."""

    def __init__(self, session: pytest.Session, items: Iterable[pytest.Item]) -> None:
        self.unreadable: dict[str, str] = {}
        """The conftests that could not be read, with the reasons."""
        self._session = session
        nodes = {node for item in items for node in item.listchain()}
        nodes |= {node for _, node in placed_definitions(session)}
        self._folders = {node.path: node for node in nodes if isinstance(node, pytest.Directory)}

    def read(self) -> None:
        """Read the conftests that a run of the whole suite would read: below `testpaths`, or else below the root."""
        for base in _bases(self._session.config):
            self._walk(base)

    def _walk(self, folder: Path) -> None:
        config = self._session.config
        conftest = folder / _CONFTEST
        if conftest.is_file() and not config.pluginmanager.has_plugin(str(conftest)):
            self._read(folder)
        proxy = self._session.gethookproxy(folder)
        for name in sorted(_subfolders(folder)):
            if not proxy.pytest_ignore_collect(collection_path=folder / name, config=config):
                self._walk(folder / name)

    def _read(self, folder: Path) -> None:
        node = self._node(folder)
        report = node.ihook.pytest_make_collect_report(collector=node)
        if report.outcome == "failed":
            error = report.call.excinfo.value
            error = getattr(error, "cause", error)  # of pytest's ConftestImportFailure
            reason = (str(error).strip().splitlines() or [""])[0]
            self.unreadable[str(folder / _CONFTEST)] = f"{type(error).__name__}: {reason}"

    def _node(self, folder: Path) -> Any:
        known = self._folders.get(folder)
        if known is None:
            is_root = folder == self._session.config.rootpath
            parent = self._session if is_root else self._node(folder.parent)
            known = self._folders[folder] = parent.ihook.pytest_collect_directory(path=folder, parent=parent)
        return known


def _bases(config: pytest.Config) -> list[Path]:
    if config.inipath is None:
        return []  # the root is just what the arguments have in common
    root = config.rootpath
    testpaths: list[str] = config.getini("testpaths")
    found = [path for each in testpaths for path in sorted(root.glob(each))] if testpaths else [root]
    return [path for path in found if path.is_dir() and path.is_relative_to(root)]


def _subfolders(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return


@final
class StandIns:
    """A test for each fixture of the suite, which uses it where it is defined."""

    def __init__(self, session: pytest.Session, registry: Registry, is_own: Callable[[str], bool]) -> None:
        self.errors: list[LooprigError] = []
        """The errors in the services that no conftest or test module imports."""
        self._session = session
        self._registry = registry
        self._is_own = is_own
        self._add_services()
        self._tests = {
            definition: function_ahead(node, definition.argname, _user_of(definition.argname))
            for definition, node in placed_definitions(session)
            if isinstance(node, pytest.Collector) and self._is_of_suite(definition)
        }

    def all(self) -> dict[Definition, pytest.Function]:
        """Return the stand-ins, by fixture."""
        return self._tests

    def missing(self, items: Iterable[pytest.Item]) -> list[pytest.Function]:
        """Return the stand-ins whose fixture none of `items` uses, except those of incomplete fixtures."""
        used: set[object] = set()
        for item in items:
            if isinstance(item, pytest.Function):
                used.update(found for _, _, found in closure_of(item).requests())
        names = {definition.argname for definition in all_definitions(self._session)}
        return [
            test
            for definition, test in self._tests.items()
            if definition not in used
            and all(found is not None or name not in names for _, name, found in closure_of(test).requests())
        ]

    def _add_services(self) -> None:
        """Register fixtures for imported services that are visible in no conftest or test module."""
        known = {spec.key for spec in self._registry.services.values()}
        for spec in self._registry.fixtures.living_services():
            if spec.key not in known and self._is_own(spec.location.path):
                try:
                    self._registry.fixtures.fixture_of(spec, self._session)
                except LooprigError as error:
                    self.errors.append(error)

    def _is_of_suite(self, definition: Definition) -> bool:
        # The fixture of a service is on the session, where those of conftests may be invisible. Its aliases see them.
        target = self._registry.target(definition)
        spec = self._registry.spec(definition) if target is None else target.spec
        if spec is not None:
            return definition not in self._registry.implied and self._is_own(spec.location.path)
        return self._is_own(location_of(definition.func).path)


def _user_of(name: str) -> Callable[[], None]:
    def test() -> None: ...

    return pytest.mark.usefixtures(name)(test)
