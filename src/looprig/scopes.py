"""The scopes of pytest, in order, without importing pytest.

Invariant: `Scope` compares by width: `Scope.MODULE > Scope.FUNCTION`.
"""

from enum import IntEnum
from typing import Final, Literal, get_args

from looprig.exceptions import DeclarationError
from looprig.location import Location

__all__ = ["SCOPE_NAMES", "Scope", "ScopeName"]

ScopeName = Literal["function", "class", "module", "package", "session"]
SCOPE_NAMES: Final[tuple[str, ...]] = get_args(ScopeName)


class Scope(IntEnum):
    """The lifetime of a fixture instance, from the narrowest to the widest."""

    FUNCTION = 0
    CLASS = 1
    MODULE = 2
    PACKAGE = 3
    SESSION = 4

    def __str__(self) -> str:
        return SCOPE_NAMES[self]

    @classmethod
    def parse(cls, name: str, *, of: str, at: Location) -> "Scope":
        """Return the scope called `name`. `of` and `at` are the name and location of what declares it.

        Raises:
            DeclarationError: there is no such scope.
        """
        try:
            return cls(SCOPE_NAMES.index(name))
        except ValueError:
            raise DeclarationError(
                f"{of} has scope {name!r}, which pytest does not know.",
                [(of, at)],
                f"Use one of {', '.join(SCOPE_NAMES)}.",
            ) from None
