"""Toxics that are applied together: checking them, and choosing the connections that get them.

Does not change connections (`link` does). Invariant: `when`, `probability` and `first` are evaluated once for each
connection.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar, cast, final

from looprig.declare.values import shown
from looprig.exceptions import DeclarationError
from looprig.net.faults.log import Party
from looprig.net.faults.seeds import rng_for
from looprig.toxics.rule import ConnectionInfo, Rule

__all__ = ["Application", "checked"]

R = TypeVar("R", bound=Rule)


def checked(kind: type[R], given: object, protocol: str, at: Party) -> Sequence[R]:
    """Return the given toxics, after checking that each is of the type `kind` for the proxy's protocol.

    Raises:
        DeclarationError: a toxic is of another type.
    """
    if isinstance(given, Rule):
        raise DeclarationError(f"{at[0]} has toxics={given}, which is a single toxic.", [at], f"Write ({given},).")
    toxics: list[R] = []
    text = shown(given)
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise DeclarationError(f"{at[0]} has toxics={text}.", [at], "toxics must be a sequence of toxics.")
    for each in cast("Iterable[object]", given):
        if not isinstance(each, kind):
            raise _not_a_toxic(each, kind, protocol, at)
        methods = [name for name in vars(kind) if name.startswith("on_")]
        own = type(each)
        if own is not kind and all(getattr(own, name) is getattr(kind, name) for name in methods):
            what = f"{own.__qualname__} has none of {', '.join(methods)}, so it does nothing."
            raise DeclarationError(what, [at], "Write one of them.")
        toxics.append(each)
    return toxics


def _not_a_toxic(given: object, kind: type[Rule], protocol: str, at: Party) -> DeclarationError:
    name = str(given) if isinstance(given, Rule) else shown(given)
    what, fix = f"isn't a toxic for {protocol}", ""
    if isinstance(given, type):
        what = "is a class, not a toxic made from it"
        fix = f"Write {name}(...)." if issubclass(given, kind) else ""
    elif isinstance(given, Rule):
        fix = "Toxics for TCP are in looprig.toxics, those for UDP in looprig.toxics.udp."
    elif isinstance(given, list | tuple):
        fix = "Pass them one by one: *[...]."
    return DeclarationError(f"{name} was passed to a proxy, but {what}.", [at], fix)


@final
class Application(Generic[R]):
    """The toxics of one `apply`, or of the proxy itself."""

    __slots__ = ("_counts", "_seed", "struck", "toxics")

    def __init__(self, toxics: Sequence[R], seed: int, taken: Iterable[str]) -> None:
        self._seed = seed
        self.struck: Final[set[int]] = set()
        self._counts = [0] * len(toxics)
        names = list(taken)
        named: list[tuple[R, str]] = []
        for toxic in toxics:
            name = own = toxic.name or type(toxic).__name__
            number = 1
            while name in names:
                number += 1
                name = f"{own} {number}"
            names.append(name)
            named.append((toxic, name))
        self.toxics: Final = named
        """The toxics with their names, which are unique among the applied toxics."""

    def strikes(self, number: int, connection: ConnectionInfo) -> bool:
        """Return whether a connection gets the toxic with this index in `toxics`. Call it once for each connection.

        Passes on exceptions of the toxic's `when`.
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
