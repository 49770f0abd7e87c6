"""The common part of toxics for TCP and UDP: the options that select connections.

Does not draw random numbers or count (the proxy does, each time that a toxic is applied).

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

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

Direction = Literal["upstream", "downstream", "both"]
"""`upstream`: from the client to the service; `downstream`: from the service to the client."""


@final
@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """One connection through a proxy. `index` is its number, from 0, in order of arrival."""

    index: int
    client: str
    """The client's address: `host:port`, or empty for a Unix socket."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The options of every toxic, by keyword.

    - `direction`: `upstream` (from the client to the service), `downstream` (from the service to the
      client), or `both`: each direction separately.
    - `probability`: the probability that a connection has the fault, drawn once for each connection.
    - `when`: a function that returns whether a connection may have the fault.
    - `first`: the maximum number of connections that have it: the first ones that pass `when` and `probability`.
    - `name`: its name in the log, by default the class's name. Its random numbers depend on the name.
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
        """Reject a class that adds fields but isn't a dataclass, since its constructor would not accept them."""
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
        """Yield a message for each wrong value of a field, for a `DeclarationError`."""
        yield from ()

    @property
    def source(self) -> object:
        """The code to point to in errors of this toxic: its class, or a function that it was given."""
        return type(self)

    def __str__(self) -> str:
        """Return the toxic as source code, with only the options that differ from the defaults."""
        shown: list[str] = []
        for each in sorted(dataclasses.fields(self), key=lambda each: each.kw_only is True):
            value = getattr(self, each.name)
            if each.default is not dataclasses.MISSING and value == each.default:
                continue
            shown.append(f"{each.name}={getattr(value, '__qualname__', None) or repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"
