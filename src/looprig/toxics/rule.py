"""The common part of toxics for TCP and for UDP: which connections a toxic is for.

Does not draw or count (the proxy does, each time that a toxic is applied).

Invariant: a rule that exists is valid. An invalid value is an error where the rule is created.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, Self, final

from looprig.declare.annotations import annotations_of
from looprig.exceptions import DeclarationError
from looprig.location import caller_location, location_of

__all__ = ["ConnectionInfo", "Direction", "Rule"]

__tracebackhide__: Final = True  # the messages say what is wrong

Direction = Literal["upstream", "downstream", "both"]
"""`upstream`: from the client to the service; `downstream`: from the service to the client."""

_DIRECTIONS: Final = ("upstream", "downstream", "both")


@final
@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """One connection through a proxy. `index` counts from 0, in the order in which clients came."""

    index: int
    client: str
    """The client's address: `host:port`, or empty for a Unix socket."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The options of every toxic, by keyword.

    - `direction`: `upstream` (from the client to the service), `downstream` (back), or `both`: each direction on its
      own.
    - `probability`: how likely a connection is to have the fault; drawn once for each connection.
    - `when`: a function that returns whether a connection may have the fault.
    - `first`: how many connections have it: the first of those that `when` and `probability` leave.
    - `name`: its name in the log, on which its random numbers depend; by default the class's name.
    """

    direction: Direction = field(default="both", kw_only=True, repr=False)
    probability: float = field(default=1.0, kw_only=True, repr=False)
    when: Callable[[ConnectionInfo], bool] | None = field(default=None, kw_only=True, repr=False)
    first: int | None = field(default=None, kw_only=True, repr=False)
    name: str = field(default="", kw_only=True, repr=False)

    def __new__(cls, *_: object, **__: object) -> Self:
        """Refuse a class that adds fields but isn't a dataclass: its constructor would not know them."""
        if "__dataclass_fields__" not in vars(cls) and annotations_of(cls):
            name = cls.__name__
            party = (name, location_of(cls))
            fix = "Put @dataclass(frozen=True, slots=True) on it."
            raise DeclarationError(f"{name} isn't a dataclass.", [party], fix)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        complaints = [*self._complaints(), *self.complaints()]
        if complaints:
            name = type(self).__name__
            at = caller_location(2)  # __init__ is between
            raise DeclarationError(f"{name}: {'; '.join(complaints)}.", [(name, at)])

    def _complaints(self) -> Iterator[str]:
        if self.direction not in _DIRECTIONS:
            yield f"direction is {self.direction!r}, not one of {', '.join(_DIRECTIONS)}"
        if not 0.0 <= self.probability <= 1.0:
            yield f"probability is {self.probability!r}, not between 0 and 1"
        if self.first is not None and self.first < 0:
            yield f"first is {self.first!r}, which is below 0"

    def complaints(self) -> Iterator[str]:
        """Yield what is wrong with the values of its own fields, for a `DeclarationError`."""
        yield from ()

    @property
    def source(self) -> object:
        """The code that an error of this toxic points to: its class, unless it was given a function."""
        return type(self)

    def below_zero(self, *names: str) -> Iterator[str]:
        """Yield complaints about those of the fields that are below 0, or infinite."""
        for name in names:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 <= value < math.inf):
                yield f"{name} is {value!r}: pass a finite number, 0 or more"

    def __str__(self) -> str:
        """Return what differs from the defaults, as one would write it."""
        shown: list[str] = []
        for each in sorted(dataclasses.fields(self), key=lambda each: each.kw_only is True):
            value = getattr(self, each.name)
            if each.default is not dataclasses.MISSING and value == each.default:
                continue
            shown.append(f"{each.name}={getattr(value, '__qualname__', None) or repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"
