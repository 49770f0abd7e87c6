"""The origins of names in annotations, and the names that the generated module gives them.

Does not write the module (`module` does).

Invariants:
1. A name is imported as its own file imports it. So a checker need not read that file, and finds names imported under
   `if TYPE_CHECKING`.
2. A name that a file defines, or binds in several ways, is imported from that file.
3. A name that isn't bound in its file is an error, never an `Any`.
"""

import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, final

from looprig.check.source import Binding, Source

__all__ = ["Names", "Origin", "UnresolvedError", "nearest", "origin_of"]

_BUILTINS: Final = frozenset(vars(builtins))


class UnresolvedError(Exception):
    """The name isn't bound, or isn't a type."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name: Final = name
        self.reason: Final = reason


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """`from module import name`, or the module itself. `path` is its file, if that belongs to the suite."""

    module: str
    name: str = ""
    path: str = ""

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


def origin_of(parts: tuple[str, ...], source: Source, scope: tuple[str, ...]) -> tuple[Origin | None, tuple[str, ...]]:
    """Return the origin of a dotted name, and the rest of the name to look up there. A builtin has no origin.

    Raises:
        UnresolvedError: the name isn't bound.
    """
    head = parts[0]
    if scope and head in source.names_of_class(scope):
        return Origin(source.module, scope[0], source.path), (*scope[1:], *parts)
    for length in range(len(parts), 0, -1):
        dotted = ".".join(parts[:length])
        bindings = source.bindings.get(dotted, [])
        if dotted in _BUILTINS and source.namespace and dotted not in source.namespace:
            continue  # bound in a branch that isn't executed
        if bindings:
            return _chosen(dotted, bindings, source), parts[length:]
    if any(name.startswith(f"{head}.") for name in source.bindings):  # import a.b, and then a.c
        return Origin(head), parts[1:]
    for star in source.stars:
        if hasattr(sys.modules.get(star), head):
            return Origin(star, head), parts[1:]
    if head in _BUILTINS:
        return None, parts
    if source.stars:
        return Origin(source.module, head, source.path), parts[1:]
    raise UnresolvedError(head, f'"{head}" cannot be resolved')


def _chosen(name: str, bindings: list[Binding], source: Source) -> Origin:
    imports = [each for each in bindings if each.module is not None]
    distinct = set(imports)
    if len(imports) != len(bindings) or not imports:
        return Origin(source.module, name, source.path)
    if len(distinct) == 1:
        found = imports[0]
    else:
        found = next((each for each in imports if each.for_checkers), None) or next(
            (each for each in imports if _is_at_run_time(each, source.namespace.get(name))), imports[0]
        )
    assert found.module is not None
    return Origin(found.module, found.name)


def _is_at_run_time(binding: Binding, value: Any) -> bool:
    module = sys.modules.get(binding.module or "")
    found = getattr(module, binding.name, None) if binding.name else module
    return value is not None and found is value


class Names:
    """The names in the generated module. Each object has one name, whichever files use it."""

    def __init__(self) -> None:
        self._names: dict[Origin, str] = {}

    def name(self, origin: Origin) -> str:
        """Return the name of an object in the generated module. A new object gets a new name."""
        return self._names.setdefault(origin, f"_{len(self._names) + 1}")

    def origins(self) -> Mapping[str, Origin]:
        """Return the origin of each name."""
        return {name: origin for origin, name in self._names.items()}

    def imports(self, copies: Mapping[str, str]) -> Iterator[str]:
        """Return the import statements. `copies` maps files to other module names."""
        for origin, name in self._names.items():
            module = copies.get(origin.path, origin.module)
            if origin.name:
                yield f"from {module} import {origin.name} as {name}"
            else:
                yield f"import {module} as {name}"

    def paths(self) -> dict[str, str]:
        """Return the files that the module imports from under their own names, with these names."""
        return {origin.path: origin.module for origin in self._names if origin.path}


def nearest(candidates: Sequence[Source], source: Source) -> Source:
    """Return the candidate in the nearest folder that contains `source`. All have the same module name."""
    here = PurePath(source.path).parent

    def distance(other: Source) -> tuple[bool, int]:
        folder = PurePath(other.path).parent
        return not here.is_relative_to(folder), -len(folder.parts)

    return min(candidates, key=distance)
