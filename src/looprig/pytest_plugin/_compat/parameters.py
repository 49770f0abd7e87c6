"""Parametrizations: the values that an item was made for, and the definitions that stand for these values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest
from _pytest.compat import NOTSET
from _pytest.python import get_direct_param_fixture_func

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition

__all__ = [
    "gives_parameter",
    "is_no_value",
    "is_parametrized",
    "parameter_index",
    "parameter_values",
    "parametrized_indices",
    "plain_parameter",
]

# The class of objects that `pytest.param` makes: pytest exports no name for it.
_PARAMETER: Final = type(pytest.param())


def gives_parameter(definition: Definition) -> bool:
    """Return whether pytest made a definition for the values of a direct parametrization, as it does for each test."""
    return definition.func is get_direct_param_fixture_func


def is_no_value(value: object) -> bool:
    """Return whether a value is pytest's placeholder in an empty parametrization, whose test is skipped."""
    return value is NOTSET


def plain_parameter(parameter: object) -> object:
    """Return the value of one of a fixture's `params`, which may be written as `pytest.param(value)`."""
    return parameter.values[0] if isinstance(parameter, _PARAMETER) and parameter.values else parameter


def parameter_values(item: pytest.Function) -> Mapping[str, object]:
    """Return the values that an item was made for, by parametrized name."""
    callspec = getattr(item, "callspec", None)
    found: Mapping[str, object] = {} if callspec is None else callspec.params
    return found


def is_parametrized(item: pytest.Item, definition: Definition) -> bool:
    """Return whether an item was made for one of several parameters of a definition."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and definition.argname in callspec.params


def parametrized_indices(item: pytest.Item, names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return the index of the parameter that an item was made for, for each of `names` that is parametrized."""
    callspec = getattr(item, "callspec", None)
    return (
        () if callspec is None else tuple((name, callspec.indices[name]) for name in names if name in callspec.params)
    )


def parameter_index(item: Any, name: str) -> int:
    """Return the index of the parameter of `name` that an item was made for."""
    indices: dict[str, int] = item.callspec.indices
    return indices[name]
