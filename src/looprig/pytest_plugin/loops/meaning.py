"""The decision whether a fixture returns the loop, factory or executor that its name suggests, or something else.

For example, a suite's `loop` may be the loop of a game. `may_mean` decides before the fixture is set up, by its
annotation and its `return` statements. `is_meant` decides by the value. Does not set fixtures up.

Invariants:
1. `may_mean` is false only if the fixture certainly returns something else.
2. This does not import asyncio: if nothing else has imported it, there is no loop.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from looprig.pytest_plugin._compat.parameters import plain_parameter
from looprig.pytest_plugin.loops.settings import SETTINGS

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition

__all__ = ["is_meant", "may_mean"]

# Functions with these names return a loop, in any module.
_MAKE_LOOPS: Final = frozenset({"new_event_loop", "get_event_loop", "get_running_loop", "entrypoint"})
_LITERALS: Final = (
    *(ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Compare),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def _loop_class() -> Any:
    module = sys.modules.get("asyncio")
    return getattr(module, "AbstractEventLoop", None)


def _is_loop_class(cls: type) -> bool:
    base = _loop_class()
    return base is not None and issubclass(cls, base)


def _makes_loops(value: object) -> bool:
    return callable(getattr(type(value), "new_event_loop", None))


def is_meant(name: str, value: object) -> bool:
    """Return whether a value has the type that looprig expects of a fixture of this name, one of `SETTINGS`."""
    about = SETTINGS[name]
    if about == "loop":
        return _is_loop_class(type(value))
    if about == "loop factory":
        if isinstance(value, type):
            return _is_loop_class(value)
        return _makes_loops(value) or (name == "loop_factory" and _may_make(value))
    if about == "executor":
        from concurrent.futures import Executor  # noqa: PLC0415 - only where a suite overrides it

        return issubclass(value, Executor) if isinstance(value, type) else _may_make(value)
    return type(value) is int and value > 0


def _may_make(value: Any) -> bool:
    """Return whether a value may be a factory. A mock can be called too, but isn't meant as one."""
    is_mock = type(value).__module__ == "unittest.mock"
    return callable(value) and not (is_mock or inspect.iscoroutinefunction(value))


def may_mean(definition: Definition) -> bool:
    """Return whether a fixture named like one of `SETTINGS` may return what looprig expects of that name."""
    function = getattr(definition.func, "__func__", definition.func)
    params = None if definition.params is None else tuple(definition.params)
    return _judged(definition.argname, function, params) is not False


def _judged(name: str, function: Callable[..., Any], params: tuple[object, ...] | None) -> bool | None:
    """Return whether a fixture returns what its name suggests, or `None` if that is not certain."""
    said = _of_annotation(name, function)
    if said is not None:
        return said
    return _combined(_of_expression(name, each, function, params) for each in _given(function))


def _combined(verdicts: Iterator[bool | None]) -> bool | None:
    found = set(verdicts)
    if True in found:
        return True
    return False if found == {False} else None


# By annotation


def _of_annotation(name: str, function: Callable[..., Any]) -> bool | None:
    try:
        # This also evaluates deferred annotations, which may use names that exist only for type checkers.
        annotation = inspect.get_annotations(function).get("return")
        if isinstance(annotation, str):
            annotation = eval(annotation, getattr(function, "__globals__", {}))  # noqa: S307 - as `typing` does
    except Exception:  # noqa: BLE001 - an annotation may raise anything
        return None
    if inspect.isgeneratorfunction(function):
        annotation = next(iter(get_args(annotation)), None)
    return _of_type(name, annotation)


def _of_type(name: str, annotation: Any) -> bool | None:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in {Union, type(int | str)}:
        return _combined(_of_type(name, each) for each in get_args(annotation))
    cls: Any = get_origin(annotation) or annotation
    if cls is None or cls is Any or cls is object or not isinstance(cls, type):
        return None
    about = SETTINGS[name]
    if about == "loop":
        return _is_loop_class(cls)
    if about == "executor size":
        return cls is int
    if callable(getattr(cls, "new_event_loop", None)):
        return about == "loop factory"
    # A class of callables is a factory; `type` and `Callable` may be one.
    return None if any("__call__" in vars(base) for base in cls.__mro__) else False


# By the return statements


def _given(function: Callable[..., Any]) -> list[ast.expr]:
    """Return the expressions that a function returns or yields, or none if its source cannot be read."""
    try:
        tree = ast.parse(dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return []
    body = tree.body[0]
    if not isinstance(body, ast.FunctionDef):
        return []
    assigned: dict[str, list[ast.expr]] = {}
    found: list[ast.expr] = []
    for node in _own_nodes(body):
        if isinstance(node, ast.Return | ast.Yield):
            found.append(node.value or ast.Constant(None))
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            # A context manager need not return itself: the value is known only for some.
            known = _called(node.context_expr) in _MAKE_LOOPS
            assigned.setdefault(node.optional_vars.id, []).append(node.context_expr if known else node.optional_vars)
    return [
        assigned[each.id][0] if isinstance(each, ast.Name) and len(assigned.get(each.id, ())) == 1 else each
        for each in found
    ]


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of nested functions and classes."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from _own_nodes(child)


def _of_expression(
    name: str, given: ast.expr, function: Callable[..., Any], params: tuple[object, ...] | None
) -> bool | None:
    about = SETTINGS[name]
    if isinstance(given, _LITERALS):
        return isinstance(given, ast.Constant) and is_meant(name, given.value)
    if isinstance(given, ast.Lambda):
        return None if about in {"loop factory", "executor"} else False
    if isinstance(given, ast.Attribute) and ast.unparse(given) == "request.param" and params is not None:
        return any(is_meant(name, plain_parameter(each)) for each in params)
    if isinstance(given, ast.Call):
        if about == "loop" and _called(given) in _MAKE_LOOPS:
            return True
        called = _value(given.func, function)
        # A metaclass or a __new__ may return anything, but nobody writes one for a loop or a factory.
        return _of_type(name, called) if isinstance(called, type) else None
    value = _value(given, function)
    return None if value is _UNKNOWN else is_meant(name, value)


def _called(given: ast.expr) -> str:
    """Return the last part of the name that a call calls, or "" for anything else."""
    function = given.func if isinstance(given, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


_UNKNOWN: Final = object()


def _value(given: ast.expr, function: Callable[..., Any]) -> object:
    """Return the value of a global name, or of an attribute of a module in a global name."""
    code = getattr(function, "__code__", None)
    if isinstance(given, ast.Name) and code is not None and given.id not in (*code.co_varnames, *code.co_freevars):
        found: object = getattr(function, "__globals__", {}).get(given.id, _UNKNOWN)
        return found if found is not _UNKNOWN else vars(sys.modules["builtins"]).get(given.id, _UNKNOWN)
    if isinstance(given, ast.Attribute):
        holder = _value(given.value, function)
        if type(holder) is type(sys):
            return vars(holder).get(given.attr, _UNKNOWN)
    return _UNKNOWN
