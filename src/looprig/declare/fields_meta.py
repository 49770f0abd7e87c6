"""Dataclass fields that are configuration and never looked up as fixtures, and the checks of fields' values.

By default, a service's field with a default is configuration only if no fixture has the field's name. For looprig's own
base classes that isn't enough: a fixture named `host` would change every server in the suite.

A class defines checks for the values of its fields in `_checks`. Subclasses inherit the checks, even if they override
the fields.

Pure: knows nothing of services or fixtures. Invariant: a field made here has `_CONFIG_KEY` in its metadata.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field
from typing import ClassVar, Final, TypeVar, overload

from looprig.declare.values import Check, Parties, check_values
from looprig.location import Location, is_foreign, location_of, user_location

__all__ = ["Configured", "check_configuration", "check_defaults", "check_fields", "config_field", "is_config"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

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


def _checks_of(cls: type) -> dict[str, Check]:
    """Return the checks of a class's own fields, then of those that it inherits."""
    found: dict[str, Check] = {}
    for base in cls.__mro__:
        for name, check in vars(base).get("_checks", {}).items():
            found.setdefault(name, check)
    return found


def check_fields(thing: object, name: str = "", parties: Parties = ()) -> None:
    """Check the fields of an object, which errors call `name`, or else by its class.

    Raises:
        DeclarationError: some values are wrong. Without `parties`, it shows the user's line.
    """
    cls = type(thing)
    values = [
        (name, getattr(thing, name), check)
        for name, check in _checks_of(cls).items()
        if not isinstance(inspect.getattr_static(cls, name, None), property)  # a suite's own, which may not be ready
    ]
    check_values(name or cls.__qualname__, values, parties)


def check_defaults(cls: type, location: Location) -> None:
    """Check the defaults of a dataclass's fields.

    Raises:
        DeclarationError: some are wrong.
    """
    fields: Mapping[str, Field[object]] = getattr(cls, "__dataclass_fields__", {})
    checks = [(fields[name], check) for name, check in _checks_of(cls).items() if name in fields]
    values = [(each.name, each.default, check) for each, check in checks if each.default is not MISSING]
    check_values(cls.__qualname__, values, [(cls.__qualname__, location)])


class Configured:
    """The base class of services whose configuration is checked when an instance is created."""

    _checks: ClassVar[Mapping[str, Check]] = {}

    def __post_init__(self, *_: object) -> None:  # a subclass may have an InitVar
        self._check_configuration()

    def _check_configuration(self) -> None:
        cls = type(self)

        def parties() -> list[tuple[str, Location]]:
            maker = user_location()
            made = [] if is_foreign(maker.path) else [(f"{cls.__qualname__}(...)", maker)]
            return [(cls.__qualname__, location_of(cls)), *made]

        check_fields(self, parties=parties)


def check_configuration(service: object) -> None:
    """Check a service's configuration again, since a subclass's `__post_init__` may not call the inherited one.

    Raises:
        DeclarationError: some values are wrong.
    """
    if isinstance(service, Configured):
        service._check_configuration()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - not a name for suites
