"""Short names of the methods of internal base classes, in errors such as "idle() takes 1 positional argument".

With the name of the class, they would name one that users don't know.
"""

from types import FunctionType
from typing import TypeVar

__all__ = ["short_names"]

_C = TypeVar("_C", bound=type)


def short_names(cls: _C) -> _C:
    """Leave the name of the class out of those of its public methods. Return the class."""
    for name, function in vars(cls).items():
        if isinstance(function, FunctionType) and not name.startswith("_"):
            function.__qualname__ = name
    return cls
