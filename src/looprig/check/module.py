"""The generated module: it has a line for each edge, in which a type checker finds an error if the edge is wrong.

Does not run a checker (`run` does).

Invariants:
1. Edges with the same types share one line. A value that can be written in several ways has a line for each, and
   matches if any of them has no error.
2. Each name in an edge also has two lines, its probes, in which a checker must find an error. If it finds none, the
   name or a base class is `Any`, which matches everything, so that the edge can't be checked.
3. An edge with one type on both sides is right, even if a checker can't read the package that the type is from.
4. Edges that can't be written are kept, with the reason.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from looprig.check.edges import Edge
from looprig.check.names import Origin, UnresolvedError
from looprig.check.typetext import InexpressibleError, Text, Writer, Written, yielded
from looprig.check.values import Value

__all__ = ["MODULE", "SANE", "Draft", "Generated", "Unread", "generate"]

Atoms: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of the code in the module and the text in the suite, of names that may turn out to be `Any`."""

MODULE: Final = "looprig_fixture_edges"
_HEAD: Final = '''\
# mypy: ignore-errors=False, allow-any-generics, allow-any-unimported, allow-any-decorated
# mypy: no-warn-return-any, enable-error-code="return-value, arg-type, list-item, dict-item"
# pyright: basic
"""Made by looprig for one run of a type checker."""
from collections.abc import AsyncIterable as _AsyncIterable, Callable as _Callable, Iterable as _Iterable
from typing import TypeVar as _TypeVar
_T = _TypeVar("_T")
class _Nothing: _secret: int = 0
def _sane(v: int) -> _Nothing: return v
def _yielded(value: _Iterable[_T]) -> _T: raise NotImplementedError
def _async_yielded(value: _AsyncIterable[_T]) -> _T: raise NotImplementedError
def _takes(value: _T) -> _Callable[[_T], None]: raise NotImplementedError
def _instance(cls: type[_T]) -> _T: raise NotImplementedError
def _tuple(*items: _T) -> tuple[_T, ...]: raise NotImplementedError
'''
SANE: Final = next(number for number, line in enumerate(_HEAD.splitlines(), 1) if "_sane" in line)
"""A line that is always wrong. A checker that reports no error in it hasn't checked the other lines either."""

_UNWRAPPING: Final = {"value": "{}", "yield": "_yielded({})", "async yield": "_async_yielded({})"}


@final
@dataclass(frozen=True, slots=True)
class Unread:
    """An edge that can't be checked. If that is the suite's mistake, `name` is unbound there, or isn't a type."""

    edge: Edge
    reason: str
    name: str = ""


@final
@dataclass(slots=True)
class Generated:
    """The module, and the meaning of its lines, which are counted from 1."""

    text: str = ""
    edges: dict[int, list[Edge]] = field(default_factory=dict[int, list[Edge]])
    declared: dict[int, Atoms] = field(default_factory=dict[int, Atoms])
    provided: dict[int, Atoms] = field(default_factory=dict[int, Atoms])
    first: dict[int, int] = field(default_factory=dict[int, int])
    """The first alternative of a line. One of them has to pass. The last one has the edges."""
    same: set[int] = field(default_factory=set[int])
    """The lines with the same type on both sides."""
    types: dict[int, int] = field(default_factory=dict[int, int])
    """For a line, the line that checks only its declared type."""
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    """The origins of names."""
    probes: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """The lines of the two probes of a name: as a provided type, and as a declared type."""
    unread: list[Unread] = field(default_factory=list[Unread])


@final
@dataclass(frozen=True, slots=True)
class _Line:
    """The line of an edge, or alternatives, one of which has to pass.

    `type` is a declared type to check separately. With `is_same`, the other side has that very type.
    """

    codes: tuple[str, ...]
    declared: Atoms
    provided: Atoms
    type: str = ""
    is_same: bool = False


def generate(edges: Iterable[Edge], writer: Writer) -> "Draft":
    """Write the lines of all edges."""
    unread: list[Unread] = []
    lines: dict[_Line, list[Edge]] = {}
    for edge in edges:
        try:
            lines.setdefault(_written(edge, writer), []).append(edge)
        except UnresolvedError as error:
            unread.append(Unread(edge, error.reason, error.name))
        except InexpressibleError as error:
            unread.append(Unread(edge, str(error)))
    return Draft(lines, unread, writer)


@final
@dataclass(frozen=True, slots=True)
class Draft:
    """The module while it is written, without its imports, which depend on all lines."""

    lines: Mapping[_Line, list[Edge]]
    unread: list[Unread]
    writer: Writer

    def finish(self, copies: Mapping[str, str]) -> Generated:
        """Return the module. `copies` maps files to other module names."""
        found = Generated(unread=self.unread, origins=self.writer.names.origins())
        text = [*_HEAD.splitlines(), *self.writer.names.imports(copies)]
        atoms = (atom for line in self.lines for atom in (*line.declared, *line.provided))
        for number, code in enumerate(dict.fromkeys(code for code, _ in atoms)):
            text.append(f"def p{number}(v: {code}) -> _Nothing: return v")
            text.append(f"def q{number}(v: _Nothing) -> {code}: return v")
            found.probes[code] = len(text) - 1, len(text)
        types: dict[str, int] = {}
        for number, code in enumerate(dict.fromkeys(line.type for line in self.lines if line.type)):
            text.append(f"def t{number}(v: {code}) -> None: ...")
            types[code] = len(text)
        for number, (line, edges) in enumerate(self.lines.items()):
            names = (f"e{number}{'_' * other}" for other in range(len(line.codes)))
            text += (code.replace("?", name, 1) for name, code in zip(names, line.codes, strict=True))
            last = len(text)
            found.edges[last] = edges
            found.declared[last], found.provided[last] = line.declared, line.provided
            found.first[last] = last - len(line.codes) + 1
            if line.is_same:
                found.same.add(last)
            if line.type:
                found.types[last] = types[line.type]
        found.text = "\n".join(text) + "\n"
        return found


def _written(edge: Edge, writer: Writer) -> _Line:
    declared = writer.render(edge.declared)
    provided = writer.render(edge.provided)
    if isinstance(edge.provided, Value):
        wanted = edge.declared
        if isinstance(wanted, Written) and writer.new_types.are_in(wanted.node, wanted.source, wanted.scope):
            raise InexpressibleError("a value doesn't show whether it is of the declared NewType")
        codes = (f"def ?() -> {declared.code}: return {code}" for code in (provided.code, *provided.others))
        return _Line(tuple(codes), declared.atoms, (), declared.code)
    if edge.code == "override-type":
        given, taken = _UNWRAPPING[edge.unwrap].format("v"), _UNWRAPPING[edge.declared_unwrap].format("w")
        code = f"def ?(v: {provided.code}, w: {declared.code}) -> None: _takes({taken})({given})"
        return _Line((code,), declared.atoms, provided.atoms)
    code = f"def ?(v: {provided.code}) -> {declared.code}: return {_UNWRAPPING[edge.unwrap].format('v')}"
    value = yielded(edge.provided) if edge.unwrap != "value" and isinstance(edge.provided, Written) else edge.provided
    is_same = value is not None and _are_same(writer.render(value), declared, writer)
    return _Line((code,), declared.atoms, provided.atoms, is_same=is_same)


def _are_same(one: Text, other: Text, writer: Writer) -> bool:
    """Return whether two types are the same, perhaps by other names: `queue.Queue`, and a `Queue` from there."""
    if one.code == other.code or len(one.atoms) != len(other.atoms):
        return one.code == other.code
    return _in_full(one, writer) == _in_full(other, writer)


def _in_full(text: Text, writer: Writer) -> str:
    origins = writer.names.origins()
    full = text.code
    for code, _ in text.atoms:
        head, *rest = code.split(".")
        if (origin := origins.get(head)) is not None:
            name = ".".join(filter(None, (origin.path, origin.module, origin.name, *rest)))
            full = name.join(re.split(rf"(?<![\w.]){re.escape(code)}\b", full))
    return full
