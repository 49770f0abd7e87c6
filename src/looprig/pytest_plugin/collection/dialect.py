"""Decides where aiomisc's dialect is spoken: where `services` and its like act on tests that do not ask for them.

Registers nothing itself (`answering` does).

Invariants:
1. Without an override of one of the names below, nothing is looked at.
2. What holds for a module depends on that module, its conftests and what they import: not on which other test
   modules were collected, nor on their order.
3. Nothing is imported, and no attribute of an unknown object is read: some of them do things when they are touched.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, final

import pytest

from looprig.pytest_plugin import _compat

__all__ = ["OVERRIDES", "Dialect"]

OVERRIDES: Final = frozenset({"services", "default_context", "entrypoint_kwargs", "entrypoint"})
"""Fixtures that act on every test that sees them overridden, where the dialect is spoken."""

_PLUGIN: Final = "looprig.aiomisc"
_PREDECESSOR: Final = "aiomisc"
_PREDECESSORS: Final = frozenset({"aiomisc", "aiomisc_pytest"})
# What of looprig makes sense only beside these fixtures: whoever imports it has asked for them.
_OWN_WORDS: Final = frozenset({"Context", "Entrypoint", "Key", "current_context"})
_OPAQUE: Final = frozenset({"pytest", "_pytest", "looprig", "pluggy"}) | sys.stdlib_module_names


@final
class Dialect:
    """Which modules of a run speak it."""

    def __init__(self, config: pytest.Config) -> None:
        self._root = config.rootpath
        manager = config.pluginmanager
        # aiomisc's own plugin acts on its fixtures by itself.
        self._is_taken = manager.has_plugin("aiomisc") or manager.has_plugin("aiomisc_pytest")
        named = [*(config.option.plugins or ()), *os.environ.get("PYTEST_PLUGINS", "").split(",")]
        self._is_everywhere = _PLUGIN in named
        self._noted: dict[Any, list[ModuleType]] = {}
        self._overriding: set[Any] = set()
        self._awake: set[Any] = set()

    def wakes(self, holder: ModuleType | type, node: Any, names: set[str]) -> bool:
        """Whether the dialect begins at `node`, where a module or class with fixtures of these names was collected."""
        if self._is_taken:
            return False
        overrides = not OVERRIDES.isdisjoint(names)
        if isinstance(holder, ModuleType):
            # What others have installed is no word of the suite: a plugin of theirs speaks for itself.
            if not self._is_of_suite(holder) and not (overrides and _speaks(holder)):
                return False
            self._noted.setdefault(node, []).append(holder)
        if overrides:
            self._overriding.add(node)
        chain: list[Any] = node.listchain()
        if self._overriding.isdisjoint(chain) or not self._awake.isdisjoint(chain):
            return False
        if self.is_spoken(node):
            self._awake.add(node)
            return True
        return False

    def is_spoken(self, node: Any) -> bool:
        """Whether a module that `node` is in or below speaks it."""
        modules = (module for each in node.listchain() for module in self._noted.get(each, ()))
        return self._is_everywhere or any(_speaks(module) for module in modules)

    def _is_of_suite(self, module: ModuleType) -> bool:
        file: str | None = vars(module).get("__file__")
        if file is None:
            return True
        path = Path(file)
        return path.name == "conftest.py" or (path.is_relative_to(self._root) and "site-packages" not in path.parts)


def _speaks(module: ModuleType) -> bool:
    """Whether a module asks for the dialect, or imports aiomisc, itself or through what it imports."""
    asked: object = vars(module).get("pytest_plugins")
    if asked == _PLUGIN or (isinstance(asked, list | tuple | set) and _PLUGIN in asked):
        return True
    if any(_is_own_word(value) for value in _values(module)) or any(_imports_inside(code) for code in _codes(module)):
        return True
    return _PREDECESSOR in sys.modules and _reaches(module)


def _values(holder: Any) -> list[Any]:
    return [*holder.__dict__.values()]  # a copy: other threads may be importing


def _is_own_word(value: object) -> bool:
    name = getattr(value, "__name__", None) if issubclass(type(value), FunctionType | type) else None
    return name in _OWN_WORDS and getattr(value, "__module__", None) == "looprig"


def _reaches(module: ModuleType) -> bool:
    """Whether aiomisc is among what a module imports, at any depth."""
    seen = {module.__name__}
    waiting = [module]
    while waiting:
        for name in _homes(waiting.pop()):
            root = name.partition(".")[0]
            if root.startswith(_PREDECESSOR):
                return True
            if name in seen or root in _OPAQUE:
                continue
            seen.add(name)
            if (found := sys.modules.get(name)) is not None:
                waiting.append(found)
    return False


def _homes(module: ModuleType) -> Iterator[str]:
    """The names of the modules that the globals of a module come from."""
    inside = f"{module.__name__}."
    for value in _values(module):
        kind = _kind(value)
        if issubclass(kind, ModuleType):
            name: object = value.__dict__.get("__name__")
            # A package has its test modules as attributes once they are collected: it does not import them.
            if isinstance(name, str) and not (name.startswith(inside) and _is_collected(name)):
                yield name
        elif kind is FunctionType:
            yield value.__module__ or ""
        else:
            for base in _BASES(value if issubclass(kind, type) else kind):
                home: object = base.__dict__.get("__module__")
                if isinstance(home, str):
                    yield home


def _kind(value: object) -> type:
    return type(value)  # isinstance() would ask the object, and a proxy for its target


_BASES: Final[Any] = vars(type)["__mro__"].__get__


def _is_collected(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last == "conftest" or last.startswith("test_") or last.endswith("_test")


def _codes(module: ModuleType) -> Iterator[CodeType]:
    """The code of the fixtures, tests and methods of a module."""
    classes = (each for each in _values(module) if type(each) is type and each.__module__ == module.__name__)
    for holder in (module, *classes):
        functions = [*_compat.fixture_functions(holder), *_values(holder)]
        yield from (each.__code__ for each in functions if type(each) is FunctionType)


def _imports_inside(code: CodeType) -> bool:
    return not _PREDECESSORS.isdisjoint(name.partition(".")[0] for name in code.co_names)
