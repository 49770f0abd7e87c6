"""The types that fixtures without an annotation provide, as far as the source shows them for certain.

Runs no type checker: the types found here are right for all of them. Calls of unannotated functions, generics without
arguments, and fixtures that provide several types are not certain, and are left.

Invariants:
1. A type is certain only if the called object is found at run time, and is the one in the source.
2. A local name of a function is known only if the function binds it once.
"""

import ast
import sys
from abc import ABCMeta
from collections import Counter
from collections.abc import Callable, Iterator
from enum import EnumType
from types import FunctionType
from typing import Any, Final, TypeAlias, final

from typing_extensions import is_protocol

from looprig.check.expressions import parts_of
from looprig.check.source import Function, Source
from looprig.check.typetext import TypeText, Written

__all__ = ["inferred", "returns_nothing"]

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_LITERALS: Final = (str, bytes, bool, int, float)

FunctionLookup: TypeAlias = Callable[[Any], tuple[Source, Function] | None]
"""Returns the source of a function."""
ParameterLookup: TypeAlias = Callable[[str], TypeText | None]
"""Returns the type of a parameter."""


def returns_nothing(function: ast.AST) -> bool:
    """Return whether a function has no `yield`, and returns nothing but `None`."""
    return not any(
        isinstance(node, ast.Yield | ast.YieldFrom)
        or (isinstance(node, ast.Return) and not (node.value is None or _is_none(node.value)))
        for node in _own_nodes(function)
    )


def inferred(source: Source, function: Function, lookup: FunctionLookup, parameter: ParameterLookup) -> TypeText | None:
    """Return the type that a fixture returns or yields, or `None` if that is not certain."""
    whole = source.whole(function)
    if _is_for_others(whole):
        return None
    if returns_nothing(whole):
        return Written(source, ast.Constant(None))
    found = _Inference(source, whole, lookup, parameter)
    nodes = list(_own_nodes(whole))
    values = [node.value for node in nodes if isinstance(node, ast.Yield)]
    if any(isinstance(node, ast.YieldFrom) for node in nodes):
        return None
    if not values:
        values = [node.value for node in nodes if isinstance(node, ast.Return)]
        if not isinstance(_last_statement(whole), ast.Return):
            return None  # it may end without a return statement
    types = [found.type_of(value) for value in values]
    first, *rest = types
    if first is None or any(each is None or _key(each) != _key(first) for each in rest):
        return None
    return first


def _key(found: TypeText) -> object:
    return (found.source.path, ast.unparse(found.node)) if isinstance(found, Written) else found


@final
class _Inference:
    def __init__(self, source: Source, function: ast.AST, lookup: FunctionLookup, parameter: ParameterLookup) -> None:
        self._lookup = lookup
        self._parameter = parameter
        self._source = source
        arguments: ast.AST = getattr(function, "args", function)
        self._parameters = {node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg)}
        nodes = list(_own_nodes(function))
        stored = [node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)]
        named = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
        imported = [
            (alias.asname or alias.name).partition(".")[0]
            for node in nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        ]
        handled = [node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name]
        self._bound = Counter([*stored, *named, *imported, *handled])
        self._annotated = {
            node.target.id: node.annotation
            for node in nodes
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        self._assigned = {
            target.id: node.value
            for node in nodes
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def type_of(self, node: ast.expr | None) -> TypeText | None:
        found: TypeText | None = None
        match node:
            case None | ast.Constant(value=None):
                found = Written(self._source, ast.Constant(None))
            case ast.Constant(value=value) if type(value) in _LITERALS:
                found = self._builtin(type(value).__name__)
            case ast.JoinedStr():
                found = self._builtin("str")
            case ast.Name(id=name):
                found = self._local(name)
            case ast.Call(func=func):
                found = self._called(func)
            case ast.BinOp(left=left, op=ast.Div()):
                found = self.type_of(left)
                if found is not None and found.shown().rpartition(".")[2] != "Path":
                    found = None
            case _:
                pass
        return found

    def _builtin(self, name: str) -> TypeText | None:
        return None if name in self._source.bindings else Written(self._source, ast.Name(name, ast.Load()))

    def _local(self, name: str) -> TypeText | None:
        if name in self._parameters:
            return None if name in self._bound else self._parameter(name)
        if self._bound[name] == 1 and name in self._assigned:
            return self.type_of(self._assigned[name])
        if self._bound[name] == 1 and name in self._annotated:
            return Written(self._source, self._annotated[name])
        return None

    def _called(self, func: ast.expr) -> TypeText | None:
        parts = parts_of(func)
        if not parts or parts[0] in self._bound or parts[0] in self._parameters:
            return None
        value: Any = self._source.namespace.get(parts[0]) if parts[0] in self._source.bindings else None
        for part in parts[1:]:
            value = getattr(value, part, None)
        if isinstance(value, type):
            return Written(self._source, func) if _makes_itself(value) else None
        return self._returned(value) if isinstance(value, FunctionType) else None

    def _returned(self, function: FunctionType) -> TypeText | None:
        """Return the type that a function of a module returns, if it is annotated and has no decorators."""
        found = self._lookup(function)
        if found is None or hasattr(function, "__wrapped__"):
            return None
        source, written = found
        node = written.node
        if node.returns is None or node.decorator_list or written.scope != () or isinstance(node, ast.AsyncFunctionDef):
            return None
        return Written(source, node.returns)


def _makes_itself(cls: type) -> bool:
    """Return whether a class returns an instance of itself when called, and is a complete type without arguments."""
    if type(cls) not in {type, ABCMeta} or isinstance(cls, EnumType) or is_protocol(cls):
        return False
    if hasattr(cls, "__class_getitem__"):
        return False
    owner = next(base for base in cls.__mro__ if "__new__" in vars(base))
    return owner is object or owner.__module__.partition(".")[0] in sys.stdlib_module_names


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, except those of nested functions and classes."""
    left: list[ast.AST] = list(getattr(function, "body", []))
    while left:
        node = left.pop(0)
        yield node
        if not isinstance(node, _FUNCTIONS):
            left[:0] = ast.iter_child_nodes(node)


def _last_statement(function: ast.AST) -> ast.stmt:
    body: list[ast.stmt] = getattr(function, "body")  # noqa: B009 - of any function
    last = body[-1]
    while isinstance(last, ast.With | ast.AsyncWith):
        last = last.body[-1]
    return last


def _is_for_others(function: ast.AST) -> bool:
    """Return whether a function is meant to be overridden, since its last statement is `...` or a `raise`."""
    last = _last_statement(function)
    return isinstance(last, ast.Raise) or (
        isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
