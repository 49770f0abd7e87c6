"""The types of a class's fields, as far as they exist at run time.

Does not interpret what the types mean for a service (`fields` does).

Invariants:
1. No annotation raises. One that only type checkers can evaluate, or that isn't a type, becomes `UNRESOLVED`. One that
   is wrong, such as `Through(5)`, becomes a `DeclarationError`.
2. A type variable is replaced by its argument in a subclass, or otherwise by its bound.
3. Names are looked up in the module that defines the class, even if another module has taken that module's name in
   `sys.modules` since, as happens with two conftests outside a package.
"""

import sys
import typing
from collections.abc import Callable
from types import FunctionType, NoneType, UnionType
from typing import Any, Final, ForwardRef, TypeVar

from looprig.declare.annotations import annotations_of
from looprig.exceptions import DeclarationError
from looprig.location import is_of_looprig, location_of

__all__ = ["UNRESOLVED", "evaluated", "hints_of", "is_union", "namespace_of", "without_none"]

UNRESOLVED: Final = object()
"""The type of a field whose annotation uses a name that does not exist at run time."""


def hints_of(cls: type) -> dict[str, Any]:
    """Return the types of a class's fields with their `Annotated` extras, `UNRESOLVED` where a name is missing."""
    bound = _bindings(cls)
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, hint in annotations_of(base).items():
            hints[name] = _substituted(_evaluated(hint, base), bound.get(base, {}))
    return hints


def _evaluated(hint: Any, base: type) -> Any:
    def evaluate(text: str) -> Any:
        try:
            # The user's own annotation, evaluated as typing.get_type_hints does.
            return eval(text, namespace_of(base), dict(vars(base)))  # noqa: S307
        except DeclarationError as error:
            return DeclarationError(error.what, [(base.__qualname__, location_of(base))], error.fix)
        except Exception:  # noqa: BLE001 - a name that only type checkers see, or not a type at all
            return UNRESOLVED

    return evaluated(hint, evaluate)


def evaluated(hint: Any, evaluate: Callable[[str], Any]) -> Any:
    """Return a type whose strings are evaluated by `evaluate`, those inside other types too, as in `Proxy["Rest"]`.

    If one of them is `UNRESOLVED`, so is the whole type. But `Annotated` keeps its extras, and stays as it is.
    """
    # Twice, for a string in a string: "Rest" under `from __future__ import annotations`.
    for _ in range(2):
        hint = hint.__forward_arg__ if isinstance(hint, ForwardRef) else hint
        if isinstance(hint, str):
            hint = evaluate(hint)
    origin = typing.get_origin(hint)
    if origin is None or not (is_union(hint) or origin is typing.Annotated or is_of_looprig(origin)):
        return hint
    given = typing.get_args(hint)
    members, extras = (given[:1], given[1:]) if origin is typing.Annotated else (given, ())
    found = tuple(evaluated(member, evaluate) for member in members)
    for wrong in found:
        if wrong is UNRESOLVED or isinstance(wrong, DeclarationError):
            return hint if extras and wrong is UNRESOLVED else wrong
    if all(one is other for one, other in zip(found, members, strict=True)):
        return hint
    if is_union(hint):
        return typing.Union[found]  # noqa: UP007 - made of values
    return typing.Annotated[(*found, *extras)] if extras else origin[found]


def is_union(hint: Any) -> bool:
    """Return whether a type is a union, such as `Rest | None`."""
    return typing.get_origin(hint) in {typing.Union, UnionType}


def without_none(hint: Any) -> Any:
    """Return `Rest` for `Rest | None`, and any other type as it is."""
    members = [member for member in typing.get_args(hint) if member is not NoneType] if is_union(hint) else []
    return members[0] if len(members) == 1 else hint


def namespace_of(base: type) -> dict[str, Any]:
    """Return the globals of the module that defines a class."""
    for value in vars(base).values():
        if isinstance(value, FunctionType) and value.__globals__.get("__name__") == base.__module__:
            return value.__globals__
    return vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}


def _bindings(cls: type) -> dict[Any, dict[Any, Any]]:
    """Return the values of each base class's type variables, as seen from `cls`."""
    found: dict[Any, dict[Any, Any]] = {cls: {}}
    left: list[Any] = [cls]
    while left:
        at = left.pop()
        for alias in at.__dict__.get("__orig_bases__", at.__bases__):
            origin = typing.get_origin(alias) or alias
            if not isinstance(origin, type) or origin in found:
                continue
            arguments = [_substituted(argument, found[at]) for argument in typing.get_args(alias)]
            found[origin] = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
            left.append(origin)
    return found


def _substituted(hint: Any, bound: dict[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return bound.get(hint, hint if hint.__bound__ is None else hint.__bound__)
    inner = without_none(hint)
    return hint if inner is hint else typing.Optional[_substituted(inner, bound)]  # noqa: UP045 - made of a value
