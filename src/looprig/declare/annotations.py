"""The annotations and parameters of a function or class, each read independently of the others.

Python 3.14 and later evaluate all annotations of a function or class together, when they are first read. A single name
that is imported under `if TYPE_CHECKING` makes the whole read raise. Here each annotation is evaluated by itself.

Does not evaluate strings: the caller knows in which namespace to look names up.

Invariants:
1. No annotation raises, whatever its expression does.
2. An annotation that cannot be evaluated is returned as its source text, which is what
   `from __future__ import annotations` gives on every Python version.
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
    """Return a function's or class's own annotations, evaluated where possible and as source text elsewhere."""
    try:
        # For a function, the attribute gives the same and is much faster.
        return thing.__annotations__ if type(thing) is FunctionType else inspect.get_annotations(thing)
    except Exception:  # noqa: BLE001 - Python 3.14 runs the user's own expressions here
        return _each_by_itself(thing)


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters that a function or class takes. Use `annotations_of` for their annotations.

    Raises:
        TypeError: `function` isn't callable.
        ValueError: `function` has no signature, like some functions written in C.
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
    except Exception:  # noqa: BLE001 - some expressions cannot be read this way, an f-string for one
        return {}


def _is_incomplete(value: Any) -> bool:
    """Return whether an annotation contains a name that does not exist."""
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
