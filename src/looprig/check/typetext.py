"""Declared and provided types, as text that a type checker reads.

Does not know fixtures. `Written` is an annotation in a file. `Known` is a class, and `Value` a value, that exist at run
time.

Invariants:
1. Text that has no meaning at the top level of another module raises `InexpressibleError` with the reason. Such edges
   are counted, and types are never guessed.
2. `Annotated` and `InitVar` are removed, and the type inside is used.
"""

import ast
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Final, Protocol, final

from looprig.check.expressions import InexpressibleError, dotted, last_of, parts_of, plain, renamed, unquoted
from looprig.check.layout import ModuleNames, is_importable
from looprig.check.names import Names, Origin, UnresolvedError, nearest, origin_of
from looprig.check.newtypes import NewTypes
from looprig.check.source import Source
from looprig.location import is_foreign

__all__ = ["InexpressibleError", "Known", "Text", "TypeText", "Writer", "Written", "shown_apart", "yielded"]

_TYPING: Final = ("typing", "typing_extensions", "collections.abc", "builtins", "types")
_VARIABLES: Final = (typing.TypeVar, typing.ParamSpec, typing.TypeVarTuple)
_NO_NAMES: Final[Mapping[str, str]] = {}
_SPECIAL: Final = frozenset({
    "Annotated", "ClassVar", "Concatenate", "Final", "Generic", "Literal", "NotRequired", "Optional", "Protocol",
    "ReadOnly", "Required", "TypeAlias", "TypeGuard", "TypeIs", "Union", "Unpack",
})  # fmt: skip
_FORMS: Final = {"typing": _SPECIAL, "typing_extensions": _SPECIAL, "builtins": frozenset({"any", "callable"})}
"""Names that aren't types by themselves."""
_WRAPPERS: Final = {("typing", "Annotated"), ("typing_extensions", "Annotated"), ("dataclasses", "InitVar")}
_YIELDING: Final = frozenset({
    "Iterator", "Iterable", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator",
})  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Text:
    """Code for the generated module, and the names in it that might turn out to be `Any`: (code, as written).

    `others` are alternatives for the same value, which matches if any of them does.
    """

    code: str
    atoms: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()


class TypeText(Protocol):
    """A type that can be written down."""

    def render(self, writer: "Writer") -> Text:
        """Return the type for the generated module.

        Raises:
            InexpressibleError: the type has no meaning in that module.
            UnresolvedError: a name in it isn't bound, or isn't a type.
        """
        ...

    def names(self) -> Mapping[str, Origin]:
        """Return the origins of the names that `shown` uses."""
        ...

    def shown(self, names: Mapping[str, str] = ..., /) -> str:
        """Return the type as messages show it, with names replaced according to `names`."""
        ...

    def key(self) -> object:
        """Return a key that is equal for types that are rendered in the same way, or `None` if that isn't known."""


@final
@dataclass(frozen=True, slots=True)
class Known:
    """A class, found by its module and name."""

    module: str
    qualname: str
    path: str = ""

    def render(self, writer: "Writer") -> Text:
        """See `TypeText`."""
        if not is_importable(self.qualname):  # defined in a function, or created at run time
            raise InexpressibleError(f"{self.qualname} cannot be imported")
        first, *rest = self.qualname.split(".")
        origin = writer.settled(Origin(self.module, first, self.path), first, None)
        code = ".".join([writer.names.name(origin), *rest])
        return Text(code, ((code, self.shown()),))

    def names(self) -> Mapping[str, Origin]:
        """See `TypeText`."""
        return {self.shown(): Origin(self.module, self.shown(), self.path)}

    def shown(self, names: Mapping[str, str] = _NO_NAMES, /) -> str:
        """See `TypeText`."""
        name = self.qualname.rpartition("<locals>.")[2]
        return names.get(name, name)

    def key(self) -> object:
        """See `TypeText`."""
        return self


@final
@dataclass(frozen=True, slots=True)
class Written:
    """An annotation. `scope` are the enclosing classes, `variables` the names of the type parameters in scope.

    If `yields` is true, it annotates a generator, and the type is the one that the generator yields. If `is_local` is
    true, it is in a nested function, which may have local names.
    """

    source: Source
    node: ast.expr
    scope: tuple[str, ...] = ()
    variables: frozenset[str] = frozenset()
    yields: bool = False
    is_local: bool = False

    def render(self, writer: "Writer") -> Text:
        """See `TypeText`."""
        found = _Rendering(self, writer)
        try:
            code = ast.unparse(found.type(self.node))
        except UnresolvedError as error:
            if not self.is_local:
                raise
            raise InexpressibleError(f"{error.name} is defined in a function") from None
        return Text(code, tuple(dict.fromkeys(found.atoms)))

    def names(self) -> Mapping[str, Origin]:
        """See `TypeText`."""
        found: dict[str, Origin] = {}
        for node in ast.walk(self._plain()):
            if isinstance(node, ast.Name | ast.Attribute) and (parts := parts_of(node)) is not None:
                with suppress(UnresolvedError):
                    origin, rest = origin_of(parts, self.source, self.scope)
                    if origin is not None:
                        found[".".join(parts)] = Origin(origin.module, ".".join([origin.name, *rest]), origin.path)
        return found

    def shown(self, names: Mapping[str, str] = _NO_NAMES, /) -> str:
        """See `TypeText`."""
        return ast.unparse(renamed(self._plain(), names))

    def _plain(self) -> ast.expr:
        return plain(((yielded(self) or self) if self.yields else self).node)

    def key(self) -> object:
        """See `TypeText`."""
        named = self.node.id if isinstance(self.node, ast.Name) else id(self.node)
        return self.source.path, self.scope, named, self.variables, self.is_local


def shown_apart(one: TypeText, other: TypeText) -> tuple[str, str]:
    """Return two types as messages show them. A name that means different things is shown with its modules."""
    ones, others = one.names(), other.names()
    alike = [name for name in ones if name in others and ones[name] != others[name]]
    full = {name: (str(ones[name]), str(others[name])) for name in alike}
    for name, (first, second) in full.items():
        if first == second:  # for example, two conftests
            full[name] = _in_file(ones[name]), _in_file(others[name])
    return one.shown({name: found for name, (found, _) in full.items()}), other.shown(
        {name: found for name, (_, found) in full.items()}
    )


def _in_file(origin: Origin) -> str:
    path = PurePath(origin.path)
    return f"{origin.name} of {path.parent.name}/{path.name}" if origin.path else str(origin)


def yielded(written: Written) -> Written | None:
    """Return the type that a generator yields, or `None` if its annotation isn't one of the standard ones."""
    node = unquoted(written.node)
    if not isinstance(node, ast.Subscript) or last_of(node.value) not in _YIELDING:
        return None
    inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
    return replace(written, node=inner, yields=False)


@final
class Writer:
    """The context in which types are rendered: the names of the generated module, and the files of the suite."""

    def __init__(
        self,
        sources: Iterable[Source] = (),
        names: Names | None = None,
        file_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """Start with no names. `file_of` returns the file of a module."""
        self.names: Final = names or Names()
        self.new_types: Final = NewTypes(file_of)
        self._file_of = file_of
        self._rendered: dict[object, Text] = {}
        self._by_module: dict[str, list[Source]] = {}
        self._by_path: dict[str, Source] = {}
        self._names_of_modules: ModuleNames | None = None
        for source in sources:
            self._by_module.setdefault(source.module, []).append(source)
            self._by_path[source.path] = source

    def render(self, type_text: TypeText) -> Text:
        """Render a type, each only once, since most parameters of a file have one of a few types."""
        key = type_text.key()
        found = None if key is None else self._rendered.get(key)
        if found is None:
            found = type_text.render(self)
            if key is not None:
                self._rendered[key] = found
        return found

    def settled(self, origin: Origin, name: str, user: Source | None) -> Origin:
        """Return an origin with its file, and the unique name of that file, whichever name it was imported by.

        If several files have the same module name, choose the one that is visible to the user.
        """
        path = origin.path or self._path(origin, name, user)
        source = self._by_path.get(path)
        if path and not is_foreign(path):
            module = self._module_names().of(path, origin.module if source is None else source.module)
            return Origin(module, origin.name, path)
        if not is_importable(origin.module):
            raise InexpressibleError(f"{origin.module} cannot be imported")
        return origin

    def _module_names(self) -> ModuleNames:
        if self._names_of_modules is None:
            imported = {module for source in self._by_path.values() for module in source.imports()}
            found = ((path, module) for module in sorted(imported) if (path := self._file_of(module)) is not None)
            self._names_of_modules = ModuleNames(found)
        return self._names_of_modules

    def _path(self, origin: Origin, name: str, user: Source | None) -> str:
        files = self._by_module.get(origin.module, ())
        if not files or user is None:
            return self._file_of(origin.module) or (files[0].path if files else "")
        value = user.namespace.get(name)
        same = [file for file in files if value is not None and file.namespace.get(origin.name) is value]
        return nearest(same or files, user).path


@final
class _Rendering:
    def __init__(self, written: Written, writer: Writer) -> None:
        self._written = written
        self._writer = writer
        self.atoms: list[tuple[str, str]] = []

    def type(self, node: ast.expr) -> ast.expr:
        node = unquoted(node)
        match node:
            case ast.Name() | ast.Attribute():
                self._reject_forms(node)
                found = self._named(node)
            case ast.Subscript():
                found = self._subscript(node)
            case ast.Tuple():
                found = ast.Tuple([self.type(each) for each in node.elts], ast.Load())
            case ast.List():  # the parameters of a Callable
                found = ast.List([self.type(each) for each in node.elts], ast.Load())
            case ast.Starred():
                found = ast.Starred(self.type(node.value), ast.Load())
            case ast.BinOp(op=ast.BitOr()):
                found = ast.BinOp(self.type(node.left), ast.BitOr(), self.type(node.right))
            case ast.Constant() if node.value is None or node.value is ...:
                found = node
            case _:
                raise InexpressibleError(f"{ast.unparse(node)} isn't a type")
        return found

    def _reject_forms(self, node: ast.Name | ast.Attribute) -> None:
        """Raise an error if a name isn't a type by itself, since some checkers treat such a name as `Any`."""
        module, name = self._origin(node) or ("builtins", ast.unparse(node))
        if name in _FORMS.get(module, ()):
            raise UnresolvedError(name, f"{name} isn't a type")

    def _subscript(self, node: ast.Subscript) -> ast.expr:
        head = self._origin(node.value)
        if head in _WRAPPERS:
            return self.type(node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice)
        value = self._named(node.value)
        if head in {("typing", "Literal"), ("typing_extensions", "Literal")}:
            return ast.Subscript(value, self._literal(node.slice), ast.Load())
        return ast.Subscript(value, self.type(node.slice), ast.Load())

    def _literal(self, node: ast.expr) -> ast.expr:
        match node:
            case ast.Tuple():
                return ast.Tuple([self._literal(each) for each in node.elts], ast.Load())
            case ast.Attribute(value=enum):  # a member, whose type is its enum
                return ast.Attribute(self.type(enum), node.attr, ast.Load())
            case ast.Name() | ast.Subscript():  # an alias of another Literal
                return self.type(node)
            case _:
                return node

    def _origin(self, node: ast.expr) -> tuple[str, str] | None:
        parts = parts_of(node)
        if parts is None:
            return None
        origin, rest = origin_of(parts, self._written.source, self._written.scope)
        if origin is None:
            return None
        return origin.module, ".".join([*([origin.name] if origin.name else []), *rest])

    def _named(self, node: ast.expr) -> ast.expr:
        parts = parts_of(node)
        if parts is None:
            raise InexpressibleError(f"{ast.unparse(node)} isn't a type")
        written = self._written
        if parts[0] in written.variables or isinstance(written.source.namespace.get(parts[0]), _VARIABLES):
            raise InexpressibleError(f"{parts[0]} is a type variable")
        origin, rest = origin_of(parts, written.source, written.scope)
        if origin is None:
            return dotted(rest)
        if origin.module in _TYPING and (origin.name or rest[-1:]) in {"Self", ("Self",)}:
            raise InexpressibleError("Self has no meaning outside of its class")
        origin = self._writer.settled(origin, parts[0], written.source)
        found = dotted((self._writer.names.name(origin), *rest))
        if origin.module not in _TYPING and not _is_any_by_design(_at_run_time(origin, rest, written.source, parts)):
            self.atoms.append((ast.unparse(found), ".".join(parts)))
        return found


def _at_run_time(origin: Origin, rest: tuple[str, ...], source: Source, parts: tuple[str, ...]) -> Any:
    """Return the value of a name, if it exists at run time."""
    found: Any = source.namespace.get(parts[0])
    for part in parts[1:]:
        found = getattr(found, part, None)
    if found is None:
        found = sys.modules.get(origin.module)
        for part in (*([origin.name] if origin.name else []), *rest):
            found = getattr(found, part, None)
    return found


def _is_any_by_design(value: Any) -> bool:
    """Return whether checkers treat a value as `Any` on purpose: `Any` itself, and mocks."""
    if isinstance(value, str):  # an alias in quotes
        return value.rpartition(".")[2] == "Any"
    bases = value.__mro__ if isinstance(value, type) else ()
    return value is Any or any(base.__module__ == "unittest.mock" for base in bases)
