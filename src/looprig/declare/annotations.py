"""The annotations and parameters of a function or class, read without losing some of them over others.

From Python 3.14 on, annotations are evaluated when they are read, all of one function or class together: a single name
that is imported under `if TYPE_CHECKING` makes the whole of them raise. Here each stands by itself.

Does not evaluate texts: who reads them knows where their names are looked up.

Invariants:
1. No annotation raises, whatever its expression does.
2. One that cannot be evaluated is given as its text, which is what `from __future__ import annotations` gives on every
   Python.
"""

import dataclasses
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, ForwardRef, cast

from typing_extensions import Format, get_annotations

__all__ = ["annotations_of", "parameters_of"]


def annotations_of(thing: Any) -> Mapping[str, Any]:
    """Return the own annotations of a function or class, as they were written or evaluated."""
    try:
        # For a function the attribute is the same, and a lot faster.
        return thing.__annotations__ if type(thing) is FunctionType else inspect.get_annotations(thing)
    except Exception:  # noqa: BLE001 - Python 3.14 runs the user's own expressions here
        return _each_by_itself(thing)


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters that a function or class takes. Their annotations are for `annotations_of` to read.

    Raises:
        TypeError: it is no callable.
        ValueError: it has no signature, as some that are written in C.
    """
    try:
        return inspect.signature(function).parameters
    except Exception:
        if sys.version_info >= (3, 14):
            return inspect.signature(function, annotation_format=Format.STRING).parameters
        raise


def _each_by_itself(thing: Any) -> Mapping[str, Any]:
    texts = _read(thing, Format.STRING)
    values = _read(thing, Format.FORWARDREF)
    return {
        name: value if (value := values.get(name, text)) is text or not _is_incomplete(value) else text
        for name, text in texts.items()
    }


def _read(thing: Any, how: Format) -> dict[str, Any]:
    try:
        return get_annotations(thing, format=how)
    except Exception:  # noqa: BLE001 - not every expression can be read in this way: an f-string cannot
        return {}


def _is_incomplete(value: Any) -> bool:
    """Whether a name that does not exist is somewhere in an annotation."""
    if isinstance(value, ForwardRef):
        return True
    if isinstance(value, dataclasses.InitVar):
        return _is_incomplete(cast("Any", value).type)
    if isinstance(value, list | tuple):  # the parameters of a Callable
        return any(map(_is_incomplete, cast("list[Any]", value)))
    parts: list[Any] = [*typing.get_args(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):  # such as Through(SlowDb)
        parts += [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return any(map(_is_incomplete, parts))
