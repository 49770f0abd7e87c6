"""The pytest plugin: collect -> check -> plan -> run.

pytest loads this module in every run. It has nothing but the way to load the rest: `hooks` is where the story begins.

Invariant: Python loads all modules of looprig but this one as usual, from cached byte code.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import final

import pytest

__all__: list[str] = []


@final
class _Finder:
    """A finder of looprig's modules, ahead of pytest's.

    pytest rewrites the asserts in all modules of a plugin's distribution. It ignores the byte code that was cached when
    the package was installed, and where it can't cache its own, each run compiles all modules again.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path, target) if name.startswith("looprig.") else None


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Load the hooks. This is the first hook that pytest calls, and it calls theirs next."""
    sys.meta_path.insert(0, _Finder())
    from looprig.pytest_plugin import hooks  # noqa: PLC0415 - found by the finder

    pluginmanager.register(hooks, "looprig.hooks")


def pytest_unconfigure() -> None:
    """Remove the finder of this run. A run inside of this one has removed its own."""
    for finder in sys.meta_path:
        if isinstance(finder, _Finder):
            sys.meta_path.remove(finder)
            break
