"""The modules that use aiomisc's dialect, where `services` and its companions apply to tests that don't request them.

Knows modules and nodes of a collection tree, but not pytest. Registers nothing.

Invariants:
1. Nothing is inspected unless one of `OVERRIDES` is overridden.
2. The answer for a module depends only on that module, its conftests and what they import, and not on other test
   modules or their order.
3. Nothing is imported, and no attribute of an unknown object is read, since that may have side effects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, Protocol, final

from looprig.location import is_of_looprig

__all__ = ["PLUGIN", "PREDECESSORS", "Dialect"]

PLUGIN: Final = "looprig.aiomisc"
"""The plugin that a suite loads to use the dialect."""
PREDECESSORS: Final = frozenset({"aiomisc", "aiomisc_pytest"})
"""The modules of aiomisc, and the names of its own plugin."""
_OVERRIDES: Final = frozenset({"services", "default_context", "entrypoint_kwargs", "entrypoint"})
"""The fixtures whose overrides apply to every test that can see them, in modules that use the dialect."""
# Names of looprig that make sense only with these fixtures. A module that imports one uses the dialect.
_OWN_WORDS: Final = frozenset({"Context", "Entrypoint", "Key", "current_context"})
_OPAQUE: Final = frozenset({"pytest", "_pytest", "looprig", "pluggy"}) | sys.stdlib_module_names


class Node(Protocol):
    """A node of a collection tree."""

    def listchain(self) -> Sequence[Any]:
        """Return the nodes from the root of the tree to this one."""
        ...


@final
class Dialect:
    """The modules of a run that use the dialect.

    `root` is the folder of the suite, and `fixtures_of` returns the functions of the fixtures in a module or class.
    With `everywhere`, every module uses it. With `off`, none does, since aiomisc's own plugin handles these fixtures.
    """

    def __init__(
        self, root: Path, fixtures_of: Callable[[Any], Iterable[Callable[..., Any]]], *, everywhere: bool, off: bool
    ) -> None:
        self._root = root
        self._fixtures_of = fixtures_of
        self._is_everywhere = everywhere
        self._is_off = off
        self._modules: dict[Node, list[ModuleType]] = {}
        self._overriding: set[Node] = set()
        self._awake: set[Node] = set()

    def begins(self, holder: ModuleType | type, node: Node, names: set[str]) -> bool:
        """Return whether the dialect applies below `node`, on which `holder` with these fixtures was collected."""
        if self._is_off:
            return False
        overrides = not _OVERRIDES.isdisjoint(names)
        if isinstance(holder, ModuleType):
            # An installed plugin isn't part of the suite.
            if not self._is_of_suite(holder) and not (overrides and self._speaks(holder)):
                return False
            self._modules.setdefault(node, []).append(holder)
        if overrides:
            self._overriding.add(node)
        chain = node.listchain()
        if self._overriding.isdisjoint(chain) or not self._awake.isdisjoint(chain) or not self.is_spoken(node):
            return False
        self._awake.add(node)
        return True

    def is_spoken(self, node: Node) -> bool:
        """Return whether a module or conftest around `node` uses the dialect."""
        modules = (module for each in node.listchain() for module in self._modules.get(each, ()))
        return self._is_everywhere or any(self._speaks(module) for module in modules)

    def _is_of_suite(self, module: ModuleType) -> bool:
        file: str | None = vars(module).get("__file__")
        if file is None:
            return True
        path = Path(file)
        return path.name == "conftest.py" or (path.is_relative_to(self._root) and "site-packages" not in path.parts)

    def _speaks(self, module: ModuleType) -> bool:
        """Return whether a module loads the dialect or imports aiomisc, directly or through its imports."""
        asked: object = vars(module).get("pytest_plugins")
        if asked == PLUGIN or (isinstance(asked, list | tuple | set) and PLUGIN in asked):
            return True
        if any(_is_own_word(value) for value in _values(module)):
            return True
        if any(_imports_inside(code) for code in self._codes(module)):
            return True
        return "aiomisc" in sys.modules and _reaches(module)

    def _codes(self, module: ModuleType) -> Iterator[CodeType]:
        """Yield the code of the fixtures, tests and methods of a module."""
        classes = (each for each in _values(module) if type(each) is type and each.__module__ == module.__name__)
        for holder in (module, *classes):
            functions = [*self._fixtures_of(holder), *_values(holder)]
            yield from (each.__code__ for each in functions if type(each) is FunctionType)


def _values(holder: Any) -> list[Any]:
    return [*holder.__dict__.values()]  # a copy: other threads may be importing


def _is_own_word(value: object) -> bool:
    name = getattr(value, "__name__", None) if issubclass(type(value), FunctionType | type) else None
    return name in _OWN_WORDS and is_of_looprig(value)


def _reaches(module: ModuleType) -> bool:
    """Return whether a module imports aiomisc, directly or through its imports."""
    seen = {module.__name__}
    waiting = [module]
    while waiting:
        for name in _homes(waiting.pop()):
            root = name.partition(".")[0]
            if root.startswith("aiomisc"):
                return True
            if name in seen or root in _OPAQUE:
                continue
            seen.add(name)
            if (found := sys.modules.get(name)) is not None:
                waiting.append(found)
    return False


def _homes(module: ModuleType) -> Iterator[str]:
    """Yield the names of the modules that define the globals of a module."""
    inside = f"{module.__name__}."
    for value in _values(module):
        kind = _kind(value)
        if issubclass(kind, ModuleType):
            name: object = value.__dict__.get("__name__")
            # After collection, a package has its test modules as attributes, although it doesn't import them.
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
    return type(value)  # isinstance() would read an attribute of the object, which a proxy forwards to its target


_BASES: Final[Any] = vars(type)["__mro__"].__get__


def _is_collected(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last == "conftest" or last.startswith("test_") or last.endswith("_test")


def _imports_inside(code: CodeType) -> bool:
    return not PREDECESSORS.isdisjoint(name.partition(".")[0] for name in code.co_names)
