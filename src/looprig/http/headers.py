"""HTTP headers: case-insensitive names, with several values for a name, in the order they were sent.

Does not parse values. Invariant: nothing is merged or dropped, so `pairs` has all headers as they were sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import final

__all__ = ["Headers"]


@final
class Headers(Mapping[str, str]):
    """An immutable, case-insensitive mapping that keeps every value of a repeated name.

    As a mapping it has the first value of each name; `get_all` returns all of them.

    >>> headers = Headers([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    >>> headers["set-cookie"], headers.get_all("set-cookie")
    ('a=1', ('a=1', 'b=2'))
    """

    __slots__ = ("pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple(pairs)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return all values of a name, in the order they were sent. Empty if there is none."""
        wanted = name.lower()
        return tuple(value for known, value in self.pairs if known.lower() == wanted)

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return values[0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[str]:
        seen: set[str] = set()
        for name, _ in self.pairs:
            if name.lower() not in seen:
                seen.add(name.lower())
                yield name

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.pairs})

    def __eq__(self, other: object) -> bool:
        return self.pairs == other.pairs if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"
