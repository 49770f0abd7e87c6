"""The common part of toxics for TCP and for UDP: which connections a toxic is for.

Does not draw or count (the proxy does, each time that a toxic is applied).

Invariant: a rule that exists is valid. An invalid value is an error where the rule is created.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, Self, final

from looprig.declare.annotations import annotations_of
from looprig.declare.fields_meta import check_fields
from looprig.declare.values import COUNT, PLAIN_FUNCTION, PROBABILITY, STRING, Check, one_of
from looprig.exceptions import DeclarationError
from looprig.location import location_of, user_location

__all__ = ["ConnectionInfo", "Direction", "Rule"]

__tracebackhide__: Final = True  # the messages say what is wrong

Direction = Literal["upstream", "downstream", "both"]
"""`upstream`: from the client to the service; `downstream`: from the service to the client."""


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

    - `direction`: `upstream` (from the client to the service), `downstream` (from the service to the
      client), or `both`: each direction separately.
    - `probability`: how likely a connection is to have the fault; drawn once for each connection.
    - `when`: a function that returns whether a connection may have the fault.
    - `first`: the maximum number of connections that have it: the first ones that pass `when` and `probability`.
    - `name`: its name in the log, on which its random numbers depend; by default the class's name.
    """

    _checks: ClassVar[Mapping[str, Check]] = {
        "direction": one_of("upstream", "downstream", "both"),
        "probability": PROBABILITY,
        "when": PLAIN_FUNCTION.or_none(),
        "first": COUNT.or_none(),
        "name": STRING,
    }

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
        check_fields(self)
        complaints = [*self.complaints()]
        if complaints:
            name = type(self).__name__
            raise DeclarationError(f"{name}: {'; '.join(complaints)}.", [(name, user_location())])

    def complaints(self) -> Iterator[str]:
        """Yield what is wrong with the values of its own fields, for a `DeclarationError`."""
        yield from ()

    @property
    def source(self) -> object:
        """The code that an error of this toxic points to: its class, unless it was given a function."""
        return type(self)

    def __str__(self) -> str:
        """Return what differs from the defaults, as one would write it."""
        shown: list[str] = []
        for each in sorted(dataclasses.fields(self), key=lambda each: each.kw_only is True):
            value = getattr(self, each.name)
            if each.default is not dataclasses.MISSING and value == each.default:
                continue
            shown.append(f"{each.name}={getattr(value, '__qualname__', None) or repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"
