"""The types that functions, fixtures and services declare, as they are written.

Does not walk the suite (`edges` does).

Invariants:
1. The type of a fixture comes from a stub, or else from its annotation. Nothing is inferred, so that all checkers get
   the same types.
2. An unknown type always comes with a reason.
"""

import ast
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, Final, final

from looprig.check.edges import Unwrap
from looprig.check.source import Function, Source, Sources, Spot
from looprig.check.stubs import Stubs
from looprig.check.typetext import Known, TypeText, Written, yielded
from looprig.declare.annotations import annotations_of
from looprig.declare.hints import namespace_of
from looprig.declare.service import ServiceSpec, spec_of
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.collection.annotations import written_function
from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["FixtureTypes", "Given", "code_of", "known"]

UNTYPED: Final = "no return annotation"


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """The type that a fixture provides. If it isn't known, `why` is the reason."""

    type: TypeText | None
    unwrap: Unwrap = "value"
    why: str = ""


@final
class FixtureTypes:
    """The types of one run, each looked up once."""

    def __init__(self, registry: Registry, stubs: Stubs) -> None:
        self.sources: Final = Sources()
        self.untyped: dict[Definition, Spot] = {}
        """The fixtures that don't declare what they provide, and their places."""
        self._registry = registry
        self._stubs = stubs
        self._given: dict[Definition, Given] = {}

    # Functions

    def function(self, function: Any) -> tuple[Source, Function] | None:
        """Return the source of a function, or `None` if it can't be read."""
        function = written_function(function)
        code = getattr(function, "__code__", None)
        namespace: dict[str, Any] = getattr(function, "__globals__", {})
        if not isinstance(code, CodeType) or not namespace:  # the fixture function of a service is in no module
            return None
        source = self.sources.read(code.co_filename, namespace.get("__name__", ""), namespace)
        found = None if source is None else source.functions.get(code.co_firstlineno)
        return None if source is None or found is None else (source, found)

    def parameter(self, function: Any, name: str) -> tuple[Written, Spot] | None:
        """Return the annotation of a parameter, and its place."""
        found = self.function(function)
        argument = None if found is None else found[1].parameter(name)
        if found is None or argument is None or argument.annotation is None:
            return None
        return _annotation(*found, argument.annotation), found[0].spot(argument)

    def unannotated(self, function: Any, name: str) -> Spot | None:
        """Return the place of a parameter if it has no annotation."""
        found = self.function(function)
        argument = None if found is None else found[1].parameter(name)
        return None if found is None or argument is None or argument.annotation else found[0].spot(argument)

    def typed_params(self, function: Any) -> Iterator[tuple[str, Written, Spot]]:
        """Yield each type that a fixture declares for `request.param`, and its place.

        It can do so by `name: T = request.param`, by `cast(T, request.param)`, or by returning or yielding it.
        """
        found = self.function(function)
        if found is None:
            return
        source, written = found
        for node in ast.walk(source.whole(written)):
            match node:
                case ast.AnnAssign(value=ast.expr() as value) if _is_param(value):
                    yield ast.unparse(node.target), _annotation(*found, node.annotation), source.spot(node)
                case ast.Call(args=[wanted, value]) if _is_param(value) and _is_cast(node.func):
                    yield "request.param", _annotation(*found, wanted), source.spot(node)
                case ast.Return(value=ast.expr() as value) if _is_param(value) and written.node.returns is not None:
                    yield "returns", _annotation(*found, written.node.returns), source.spot(node)
                case ast.Yield(value=ast.expr() as value) if _is_param(value) and written.node.returns is not None:
                    if (inner := yielded(_annotation(*found, written.node.returns))) is not None:
                        yield "yields", inner, source.spot(node)
                case _:
                    pass

    # Fixtures

    def gives(self, definition: Definition) -> Given:
        """Return the type that a fixture provides."""
        found = self._given.get(definition)
        if found is None:
            found = self._given[definition] = self._service(definition) or self._stub(definition)
        return found

    def _service(self, definition: Definition) -> Given | None:
        target = self._registry.target(definition)
        spec = self._registry.spec(definition) if target is None else target.spec
        if spec is None:
            return None
        if target is not None and (target.client or target.through is not None):
            return Given(None, why="a type that depends on the annotation")
        self.class_of(spec.cls)  # also records its file, which is searched for suppressions
        return Given(known(spec))

    def _stub(self, definition: Definition) -> Given:
        stub = self._stubs.find(written_function(definition.func).__module__ or "", definition.argname)
        return self._annotated(definition) if stub is None else Given(stub)

    def _annotated(self, definition: Definition) -> Given:
        function, unwrap = definition.func, _unwrap(definition.func)
        found = self.function(function)
        if found is None:
            return Given(None, why="no source")
        source, written = found
        if written.node.returns is None:
            self.untyped[definition] = source.spot(written.node)
            return Given(None, why=UNTYPED)
        if _unwrap(written_function(function)) != unwrap:
            return Given(None, why="a decorator that changes what it returns")
        text = _annotation(source, written, written.node.returns)
        return Given(dataclasses.replace(text, yields=unwrap != "value"), unwrap)

    # Services

    def class_of(self, cls: type) -> tuple[Source, ast.ClassDef] | None:
        """Return the source of a class."""
        spec, namespace = spec_of(cls), namespace_of(cls)
        # If several conftests are in no package, `sys.modules` has only the last one.
        path = str(namespace.get("__file__") or location_of(cls).path) if spec is None else spec.location.path
        source = self.sources.read(path, cls.__module__, namespace)
        node = None if source is None else source.classes.get(cls.__qualname__)
        return None if source is None or node is None else (source, node)

    def field(self, spec: ServiceSpec, name: str) -> tuple[Written, Spot] | None:
        """Return the annotation of a service's field, which may be in a base class, and its place."""
        owner = next((base for base in spec.cls.__mro__ if name in annotations_of(base)), spec.cls)
        found = self.class_of(owner)
        if found is None:
            return None
        source, node = found
        for each in node.body:
            match each:
                case ast.AnnAssign(target=ast.Name(id=target)) if target == name:
                    scope = tuple(owner.__qualname__.split("."))
                    return Written(source, each.annotation, scope, _type_parameters(node)), source.spot(each)
                case _:
                    pass
        return None

    def provides(self, spec: ServiceSpec) -> Iterator[tuple[Written, Spot]]:
        """Yield the Protocols that a service declares to provide, and the place of the declaration."""
        found = self.class_of(spec.cls) if spec.provides else None
        if found is None:
            return
        source, node = found
        for decorator in node.decorator_list:
            for keyword in getattr(decorator, "keywords", ()):
                if keyword.arg == "provides":
                    value: ast.expr = keyword.value
                    for each in value.elts if isinstance(value, ast.Tuple | ast.List) else [value]:
                        yield Written(source, each, tuple(spec.cls.__qualname__.split(".")[:-1])), source.spot(each)


def code_of(function: Any) -> object:
    """Return a key that is equal for all functions that one `def` makes."""
    function = written_function(function)
    code = getattr(function, "__code__", None)
    # Two files with the same text on the same lines have equal code.
    return (code.co_filename, code) if isinstance(code, CodeType) else function


def known(spec: ServiceSpec) -> Known:
    """Return the class of a service, as a type."""
    return Known(spec.cls.__module__, spec.cls.__qualname__, spec.location.path)


def _annotation(source: Source, function: Function, node: ast.expr) -> Written:
    scope = function.scope or ()
    variables = _type_parameters(function.node)
    for length in range(1, len(scope) + 1):
        variables |= _type_parameters(source.classes.get(".".join(scope[:length])))
    return Written(source, node, scope, variables, is_local=function.scope is None)


def _type_parameters(node: ast.AST | None) -> frozenset[str]:
    return frozenset(each.name for each in getattr(node, "type_params", ()))


def _unwrap(function: Callable[..., Any]) -> Unwrap:
    if inspect.isgeneratorfunction(function):
        return "yield"
    return "async yield" if inspect.isasyncgenfunction(function) else "value"


def _is_param(node: ast.expr) -> bool:
    text = ast.unparse(node)
    return text == "request.param" or text.startswith("getattr(request, 'param',")


def _is_cast(node: ast.expr) -> bool:
    return ast.unparse(node) in {"cast", "typing.cast"}
