"""Names that a package re-exports, loaded when they are first used.

Does not say which: each package has a table of its own, beside the imports under `TYPE_CHECKING` that type checkers
read.
"""

from collections.abc import Mapping
from importlib import import_module
from sys import modules
from typing import Any

__all__ = ["load"]


def load(package: str, name: str, homes: Mapping[str, str]) -> Any:
    """Return what `homes[name]` calls `name`, and keep it in `package`.

    Raises:
        AttributeError: the package re-exports no such name.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    value = getattr(import_module(homes[name]), name)
    if getattr(value, "__name__", None) == name:
        value.__module__ = package  # messages show the path that users import it from
    setattr(modules[package], name, value)
    return value
