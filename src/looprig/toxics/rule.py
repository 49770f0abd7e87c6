"""Which connections a fault is for: what toxics of TCP and of UDP have in common.

Does not roll or count (the proxy does, for each time that it is applied).

Invariant: a rule that can be made is valid: what is wrong with its values is told where it was made.
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

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

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

    - `direction`: `upstream` (from the client to the service), `downstream` (back), or `both`: then each direction
      has the fault by itself.
    - `probability`: how likely it is that a connection has the fault; rolled once for each connection.
    - `when`: says of a connection whether it may have the fault.
    - `first`: only so many connections have it, the first of those that `when` and `probability` leave.
    - `name`: what it is called in the log, and what its random numbers depend on; by default the class's name.
    """

    direction: Direction = field(default="both", kw_only=True, repr=False)
    probability: float = field(default=1.0, kw_only=True, repr=False)
    when: Callable[[ConnectionInfo], bool] | None = field(default=None, kw_only=True, repr=False)
    first: int | None = field(default=None, kw_only=True, repr=False)
    name: str = field(default="", kw_only=True, repr=False)

    def __new__(cls, *_: object, **__: object) -> Self:
        """Makes one, if a class with fields of its own is a dataclass: else its constructor would not know them."""
        if "__dataclass_fields__" not in vars(cls) and annotations_of(cls):
            name = cls.__name__
            party = (name, location_of(cls))
            fix = "Put @dataclass(frozen=True, slots=True) on it."
            raise DeclarationError(f"{name} is no dataclass.", [party], fix)
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
        """What is wrong with the values of this kind of rule."""
        yield from ()

    def below_zero(self, *names: str) -> Iterator[str]:
        """Complaints about those of the fields that are less than 0, or without an end."""
        for name in names:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 <= value < math.inf):
                yield f"{name} is {value!r}: give a number, 0 or more, and not inf"

    def __str__(self) -> str:
        """What differs from the defaults, as one would write it."""
        shown: list[str] = []
        for each in sorted(dataclasses.fields(self), key=lambda each: each.kw_only is True):
            value = getattr(self, each.name)
            if each.default is not dataclasses.MISSING and value == each.default:
                continue
            shown.append(f"{each.name}={getattr(value, '__qualname__', None) or repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"
