"""Annotations that parameters lack, and the imports that they need.

Does not write files (`rewrite` does).

Invariants:
1. A parameter gets the type that its fixture declares, as a person would write it: `Path`, not `pathlib.Path`.
2. If that would mean something else in the file, or can't be imported there, the parameter is left, with a reason.
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, final

from looprig.check.edges import Unwrap
from looprig.check.names import Names, Origin, UnresolvedError, origin_of
from looprig.check.source import Source, Spot
from looprig.check.typetext import InexpressibleError, Known, TypeText, Writer, Written, yielded

__all__ = ["Annotation", "Left", "Wanted", "annotations"]


@final
@dataclass(frozen=True, slots=True)
class Wanted:
    """A parameter without an annotation, and what its fixture provides."""

    source: Source
    spot: Spot
    name: str
    type: TypeText
    unwrap: Unwrap


@final
@dataclass(frozen=True, slots=True)
class Annotation:
    """Text to write at a place; `imports` has (module, name), or (module, "") for the module itself."""

    spot: Spot
    text: str
    imports: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True, slots=True)
class Left:
    """A parameter that is left as it is."""

    spot: Spot
    name: str
    reason: str


def annotations(
    wanted: Iterable[Wanted], sources: Iterable[Source], is_importable: Callable[[str], bool]
) -> tuple[list[Annotation], list[Left]]:
    """Return what to write, and what is left; `is_importable` says whether others may import a file."""
    made: list[Annotation] = []
    left: list[Left] = []
    sources = list(sources)
    for each in wanted:
        names = _ReadersNames(each.source, is_importable)
        try:
            text = _given(each).render(Writer(sources, names))
        except (InexpressibleError, UnresolvedError) as error:
            left.append(Left(each.spot, each.name, str(error)))
        else:
            made.append(Annotation(each.spot, text.code, tuple(dict.fromkeys(names.needed))))
    return made, left


def _given(wanted: Wanted) -> TypeText:
    if wanted.unwrap == "value" or not isinstance(wanted.type, Written):
        return wanted.type
    inner = yielded(wanted.type)
    if inner is None:
        raise InexpressibleError(f"what {wanted.type.shown()} yields has no name")
    return inner


@final
class _ReadersNames(Names):
    """The names that one file has for things, or can import."""

    def __init__(self, source: Source, is_importable: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_importable = is_importable
        self._source: Final = source
        self.needed: list[tuple[str, str]] = []

    def name(self, origin: Origin) -> str:
        """Return the name that the file has for a thing, or will have."""
        if origin.path == self._source.path:
            return origin.name
        origin = _public(origin)
        if not origin.name:
            return self._module(origin)
        if origin.module == "pytest":  # which test files import anyhow
            return f"{self._module(Origin('pytest'))}.{origin.name}"
        if origin.path and not self._is_importable(origin.path):
            raise InexpressibleError(f"{origin.name} is defined in {origin.path}, which is not to be imported")
        for name in self._source.bindings:
            if (there := self._there(name)) is not None and (there.module, there.name) == (origin.module, origin.name):
                return name  # under another name, perhaps
        if (there := self._there(origin.name)) is None:
            self.needed.append((origin.module, origin.name))
        elif (there.module, there.name) != (origin.module, origin.name):
            raise InexpressibleError(f"{origin.name} is something else in this file")
        return origin.name

    def _module(self, origin: Origin) -> str:
        if self._source.bindings.get(origin.module) is None:
            first = origin.module.partition(".")[0]
            if first in self._source.bindings:
                raise InexpressibleError(f"{first} is something else in this file")
            self.needed.append((origin.module, ""))
        return origin.module

    def _there(self, name: str) -> Origin | None:
        if name not in self._source.bindings:
            return None
        origin, _ = origin_of((name,), self._source, ())
        return None if origin is None else _public(origin)


def _public(origin: Origin) -> Origin:
    """Return the public name of what pytest defines in a private module."""
    if not origin.module.startswith("_pytest."):
        return origin
    pytest = importlib.import_module("pytest")
    module = importlib.import_module(origin.module)
    value = getattr(module, origin.name, None)
    if value is None or getattr(pytest, origin.name, None) is not value:
        raise InexpressibleError(f"{origin} is private to pytest")
    return Origin("pytest", origin.name)


REQUEST: Final = Known("_pytest.fixtures", "FixtureRequest")
"""What the fixture `request` provides, as a person would write it."""
