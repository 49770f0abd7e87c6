"""Marks dataclass fields as configuration, so that they are never looked up as fixtures.

A service's field with a default is configuration only if no fixture has the field's name. The base classes that
looprig ships cannot leave it at that: a suite that has a fixture named `host` would change every server in it.

Pure: knows nothing of services or fixtures. Invariant: a field made here has `CONFIG_KEY` in its metadata.
"""

from collections.abc import Callable
from dataclasses import Field, field
from typing import Final, TypeVar, overload

__all__ = ["CONFIG_KEY", "config_field", "is_config"]

CONFIG_KEY: Final = "looprig.config"

_T = TypeVar("_T")
_METADATA: Final = {CONFIG_KEY: True}


@overload
def config_field(default: _T) -> _T: ...
@overload
def config_field(*, factory: Callable[[], _T]) -> _T: ...
def config_field(default: object = None, *, factory: Callable[[], object] | None = None) -> object:
    """Declare a keyword-only dataclass field that is configuration whatever fixtures there are.

    Give its default, or with `factory=` what makes the default for each instance.

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
    """Say whether a field was declared with `config_field`."""
    return bool(declared.metadata.get(CONFIG_KEY, False))
