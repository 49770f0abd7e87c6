"""Dataclass fields that are configuration and never looked up as fixtures.

By default, a service's field with a default is configuration only if no fixture has the field's name. For looprig's own
base classes that isn't enough: a fixture named `host` would change every server in the suite.

Pure: knows nothing of services or fixtures. Invariant: a field made here has `_CONFIG_KEY` in its metadata.
"""

from collections.abc import Callable
from dataclasses import Field, field
from typing import Final, TypeVar, overload

__all__ = ["config_field", "is_config"]

_CONFIG_KEY: Final = "looprig.config"

_T = TypeVar("_T")
_METADATA: Final = {_CONFIG_KEY: True}


@overload
def config_field(default: _T) -> _T: ...
@overload
def config_field(*, factory: Callable[[], _T]) -> _T: ...
def config_field(default: object = None, *, factory: Callable[[], object] | None = None) -> object:
    """Declare a keyword-only dataclass field that is configuration, even if a fixture has its name.

    Pass its default, or a function that creates the default of each instance as `factory=`.

    >>> from dataclasses import dataclass
    >>> @dataclass(kw_only=True)
    ... class Cache:
    ...     host: str = config_field("127.0.0.1")
    >>> Cache().host
    '127.0.0.1'
    """
    if factory is not None:
        return field(default_factory=factory, metadata=_METADATA, kw_only=True)
    return field(default=default, metadata=_METADATA, kw_only=True)


def is_config(declared: "Field[object]") -> bool:
    """Return whether a field was declared with `config_field`."""
    return bool(declared.metadata.get(_CONFIG_KEY, False))
