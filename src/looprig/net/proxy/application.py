"""Toxics that are applied together: which connections they strike, and their random numbers.

Does not touch connections (`connection` does).

Invariants:
1. The numbers of a toxic on one direction of a connection come from the seed, the index of the connection, the
   direction and the toxic's name alone. So another toxic beside it changes nothing for it.
2. `when`, `probability` and `first` are looked at once for each connection.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar, final

from looprig.exceptions import DeclarationError
from looprig.location import Location
from looprig.toxics.rule import ConnectionInfo, Rule

__all__ = ["Application", "checked", "rng_for"]

R = TypeVar("R", bound=Rule)


def rng_for(seed: int, connection: int, direction: str, name: str) -> random.Random:
    """The random numbers of one toxic on one direction of one connection."""
    return random.Random(f"{seed}/{connection}/{direction}/{name}")  # noqa: S311 - to be had again, not to be secret


def checked(kind: type[R], given: Iterable[object], at: tuple[str, Location], protocol: str) -> Sequence[R]:
    """The toxics that were given.

    Raises:
        DeclarationError: something else was given.
    """
    if isinstance(given, Rule):
        raise DeclarationError(f"{at[0]} has toxics={given}, which is one and no sequence.", [at], f"Write ({given},).")
    toxics: list[R] = []
    for each in given:
        if not isinstance(each, kind):
            raise _no_toxic(each, kind, at, protocol)
        if _says_nothing(each, kind):
            name = type(each).__qualname__
            methods = ", ".join(_methods(kind))
            raise DeclarationError(f"{name} has none of {methods}, so it does nothing.", [at], "Write one of them.")
        toxics.append(each)
    return toxics


def _no_toxic(given: object, kind: type[Rule], at: tuple[str, Location], protocol: str) -> DeclarationError:
    shown = given.__qualname__ if isinstance(given, type) else str(given) if isinstance(given, Rule) else repr(given)
    what, fix = f"no toxic for {protocol}", ""
    if isinstance(given, type):
        what = "a class, not a toxic made from it"
        fix = f"Write {shown}(...)." if issubclass(given, kind) else ""
    elif isinstance(given, Rule):
        fix = "Toxics for TCP are in looprig.toxics, those for UDP in looprig.toxics.udp."
    elif isinstance(given, list | tuple):
        fix = "Give them one by one: *[...]."
    return DeclarationError(f"{shown} was given to a proxy, and is {what}.", [at], fix)


def _methods(kind: type[Rule]) -> list[str]:
    return [name for name in vars(kind) if name.startswith("on_")]


def _says_nothing(toxic: Rule, kind: type[Rule]) -> bool:
    methods = _methods(kind)
    return type(toxic) is not kind and all(getattr(type(toxic), name) is getattr(kind, name) for name in methods)


@final
class Application:
    """Some toxics that came with one `apply`, or with the proxy itself."""

    __slots__ = ("_counts", "_seed", "struck", "toxics")

    def __init__(self, toxics: Sequence[Rule], seed: int, taken: Iterable[str]) -> None:
        self._seed = seed
        self.struck: Final[set[int]] = set()
        self._counts = [0] * len(toxics)
        names = list(taken)
        named: list[tuple[Rule, str]] = []
        for toxic in toxics:
            name = own = toxic.name or type(toxic).__name__
            number = 1
            while name in names:
                number += 1
                name = f"{own} {number}"
            names.append(name)
            named.append((toxic, name))
        self.toxics: Final = named
        """Each with the name that it has beside all others that are applied."""

    def strikes(self, number: int, connection: ConnectionInfo) -> bool:
        """Whether a connection gets the toxic of this number in `toxics`. To be asked once for each connection.

        Raises what the toxic's `when` raises.
        """
        toxic, name = self.toxics[number]
        if toxic.first is not None and self._counts[number] >= toxic.first:
            return False
        if toxic.when is not None and not toxic.when(connection):
            return False
        if toxic.probability < 1.0:
            roll = rng_for(self._seed, connection.index, toxic.direction, f"{name}/probability").random()
            if roll >= toxic.probability:
                return False
        self._counts[number] += 1
        self.struck.add(connection.index)
        return True
