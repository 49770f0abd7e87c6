"""Missing annotations of parameters and fixtures, and the imports that they need.

Does not write files (`rewrite` does).

Invariants:
1. A parameter gets the type that its fixture declares, as a person would write it: `Path`, not `pathlib.Path`.
2. If that name means something else in the file, or can't be imported there, the parameter is left, with a reason.
3. At run time, a file gets new names only from the standard library and pytest, and none that pytest would collect as a
   test. Everything else is imported under `if TYPE_CHECKING`, where imports can't fail or be circular.
4. An annotation that Python would evaluate is quoted if it uses names that don't exist at run time.
"""

import ast
import builtins
import importlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, final

from looprig.check.edges import Unwrap
from looprig.check.infer import returns_nothing
from looprig.check.names import Names, Origin, UnresolvedError, origin_of
from looprig.check.source import Function, Source, Spot
from looprig.check.typetext import InexpressibleError, Known, TypeText, Writer, Written, yielded

__all__ = ["Annotation", "Import", "Left", "Wanted", "annotations", "has_future_annotations"]

_ITERATORS: Final = {"yield": "Iterator", "async yield": "AsyncIterator"}


@final
@dataclass(frozen=True, slots=True)
class Wanted:
    """A missing annotation and its type, for a parameter or, if `name` is empty, for a fixture's return value."""

    source: Source
    function: Function
    spot: Spot
    name: str
    type: TypeText
    unwrap: Unwrap = "value"


@final
@dataclass(frozen=True, slots=True)
class Import:
    """`from module import name`, or `import module` without a name."""

    module: str
    name: str
    for_checkers: bool


@final
@dataclass(frozen=True, slots=True)
class Annotation:
    """Text to write for a parameter or, if `name` is empty, for the return value of a function."""

    spot: Spot
    name: str
    text: str
    imports: tuple[Import, ...] = ()

    @property
    def returns(self) -> bool:
        """Whether this is a return annotation."""
        return not self.name


@final
@dataclass(frozen=True, slots=True)
class Left:
    """A parameter that is left as it is."""

    spot: Spot
    name: str
    reason: str


def annotations(
    wanted: Iterable[Wanted],
    sources: Iterable[Source],
    is_importable: Callable[[str], bool],
    is_collected: Callable[[str], bool],
    *,
    in_part: bool = True,
) -> tuple[list[Annotation], list[Left]]:
    """Return the annotations to write, and the parameters that are left.

    `is_importable` says whether other modules may import a file, and `is_collected` whether pytest would collect a name
    as a test. If `in_part` is false, a function without annotations gets either all of them or none.
    """
    made: list[Annotation] = []
    left: list[Left] = []
    sources = list(sources)
    functions: dict[Spot, list[Wanted]] = {}
    for each in wanted:
        functions.setdefault(each.source.spot(each.function.node), []).append(each)
    for place, its in functions.items():
        found: list[Annotation] = []
        for each in its:
            names = _ReadersNames(each.source, each.function, is_importable, is_collected)
            try:
                text = names.safe(_text(each, Writer(sources, names), names))
            except (InexpressibleError, UnresolvedError) as error:
                left.append(Left(each.spot, each.name, str(error)))
            else:
                found.append(Annotation(each.spot, each.name, text, tuple(dict.fromkeys(names.needed))))
        source, function = its[0].source, its[0].function
        returns = any(each.returns for each in found) or function.node.returns is not None
        if found and not returns and returns_nothing(source.whole(function)):
            found.append(Annotation(place, "", "None"))
        if in_part or not (lacking := _lacking(source, function, found)):
            made += found
        else:
            why = f"{lacking}, and mypy's configuration forbids incomplete annotations"
            left += (Left(each.spot, each.name, why) for each in its if any(each.spot == one.spot for one in found))
    return made, left


def _lacking(source: Source, function: Function, found: Iterable[Annotation]) -> str:
    """Return a description of what would still lack an annotation, or "" if the function has some already."""
    arguments = function.node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += filter(None, (arguments.vararg, arguments.kwarg))
    if function.node.returns is not None or any(each.annotation is not None for each in every):
        return ""
    places = {each.spot for each in found if not each.returns}
    lacking = [each for each in every if source.spot(each) not in places]
    own = 1 if function.scope and lacking[:1] == every[:1] else 0  # self, or cls
    if len(lacking) > own:
        return "other parameters can't be annotated"
    return "" if any(each.returns for each in found) else "what the function returns isn't certain"


def has_future_annotations(source: Source) -> bool:
    """Return whether a file has `from __future__ import annotations`, so that Python evaluates no annotations."""
    return any(each.module == "__future__" for each in source.bindings.get("annotations", ()))


def _text(wanted: Wanted, writer: Writer, names: "_ReadersNames") -> str:
    if wanted.name:
        return _given(wanted).render(writer).code
    inner = wanted.type.render(writer).code
    return inner if wanted.unwrap == "value" else f"{names.iterator(_ITERATORS[wanted.unwrap])}[{inner}]"


def _given(wanted: Wanted) -> TypeText:
    if wanted.unwrap == "value" or not isinstance(wanted.type, Written):
        return wanted.type
    inner = yielded(wanted.type)
    if inner is None:
        raise InexpressibleError(f"what {wanted.type.shown()} yields has no name")
    return inner


@final
class _ReadersNames(Names):
    """The names that the annotations of a function can use: those in its file, and those that it can import."""

    def __init__(
        self,
        source: Source,
        function: Function,
        is_importable: Callable[[str], bool],
        is_collected: Callable[[str], bool],
    ) -> None:
        super().__init__()
        self._function: Final = function
        self._is_collected = is_collected
        self._is_importable = is_importable
        self._source: Final = source
        self.needed: list[Import] = []

    def name(self, origin: Origin) -> str:
        """Return the name of a thing in the file, now or after the new imports."""
        found = self._name(origin)
        if self._function.scope and found.partition(".")[0] in self._source.names_of_class(self._function.scope):
            raise InexpressibleError(f"{found} is something else in this class")
        return found

    def iterator(self, name: str) -> str:
        """Return the name of a generator's return type in the file, which may be that from `typing`."""
        there = self._there(name)
        if there is not None and there.module in {"typing", "typing_extensions"} and there.name == name:
            return name
        return self.name(Origin("collections.abc", name))

    def safe(self, code: str) -> str:
        """Return an annotation, quoted unless Python can evaluate it where it is written."""
        source = self._source
        if has_future_annotations(source) or code == "None":
            return code
        names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        late = any(_bound_at(source, name) >= self._function.node.lineno for name in names)
        if late or any(each.for_checkers for each in self.needed) or not self._evaluates(code):
            return repr(code) if '"' in code else f'"{code}"'
        return code

    def _evaluates(self, code: str) -> bool:
        namespace: dict[str, Any] = dict(self._source.namespace)
        try:
            for each in self.needed:
                module = importlib.import_module(each.module)
                first = each.module.partition(".")[0]
                namespace[each.name or first] = getattr(module, each.name) if each.name else sys.modules[first]
            eval(code, namespace)  # noqa: S307 - the text of a type, made here
        except Exception:  # noqa: BLE001 - Python would raise it when the suite is imported
            return False
        return True

    def _name(self, origin: Origin) -> str:
        if origin.path == self._source.path:
            return origin.name
        origin = _public(origin)
        if not origin.name:
            return self._module(origin)
        if origin.module == "pytest":  # which test files import anyway
            return f"{self._module(Origin('pytest'))}.{origin.name}"
        for name in self._source.bindings:
            if (there := self._there(name)) is not None and (there.module, there.name) == (origin.module, origin.name):
                return name  # perhaps under another name
        if origin.path and not self._is_importable(origin.path):
            raise InexpressibleError(f"{origin.name} is defined in {origin.path}, which other modules can't import")
        there = self._there(origin.name)
        if there is None:
            self._check_free(origin)
            self._need(origin)
        elif (there.module, there.name) != (origin.module, origin.name):
            raise InexpressibleError(f"{origin.name} is something else in this file")
        return origin.name

    def _module(self, origin: Origin) -> str:
        if self._source.bindings.get(origin.module) is None:
            first = origin.module.partition(".")[0]
            if first in self._source.bindings or first in self._source.namespace:
                raise InexpressibleError(f"{first} is something else in this file")
            self._need(origin)
        return origin.module

    def _need(self, origin: Origin) -> None:
        first = origin.module.partition(".")[0]
        is_light = first in sys.stdlib_module_names or origin.module == "pytest"
        for_checkers = not is_light or self._is_collected(origin.name or first)
        self.needed.append(Import(origin.module, origin.name, for_checkers))

    def _check_free(self, origin: Origin) -> None:
        """Check that a name to be imported doesn't mean something else in the file.

        Raises:
            InexpressibleError: the name has another meaning, is a builtin, or may come from `from module import *`.
        """
        if origin.name in self._source.namespace or hasattr(builtins, origin.name):
            raise InexpressibleError(f"{origin.name} is something else in this file")

    def _there(self, name: str) -> Origin | None:
        if name not in self._source.bindings:
            return None
        origin, _ = origin_of((name,), self._source, ())
        return None if origin is None else _public(origin)


def _bound_at(source: Source, name: str) -> int:
    """Return the line after which a name of a file exists at run time."""
    bindings = source.bindings.get(name, ())
    if bindings and all(each.for_checkers for each in bindings):
        return sys.maxsize
    lines = [
        node.end_lineno or node.lineno
        for node in ast.walk(source.tree())
        if isinstance(node, ast.stmt) and name in _bound_by(node)
    ]
    return min(lines, default=0)


def _bound_by(node: ast.stmt) -> set[str]:
    match node:
        case ast.ClassDef():
            return {node.name}
        case ast.Import() | ast.ImportFrom():
            return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        case ast.Assign():
            return {each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


def _public(origin: Origin) -> Origin:
    """Return the public name of an object that pytest defines in a private module."""
    if not origin.module.startswith("_pytest."):
        return origin
    pytest = importlib.import_module("pytest")
    module = importlib.import_module(origin.module)
    value = getattr(module, origin.name, None)
    if value is None or getattr(pytest, origin.name, None) is not value:
        raise InexpressibleError(f"{origin} is private to pytest")
    return Origin("pytest", origin.name)


REQUEST: Final = Known("_pytest.fixtures", "FixtureRequest")
"""The type of the fixture `request`, as a person would write it."""
