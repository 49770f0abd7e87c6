"""The scopes of pytest, ordered, without pytest.

Invariant: `Scope` compares by width, so that `Scope.MODULE > Scope.FUNCTION` reads as it is meant.
"""

from enum import IntEnum
from typing import Final, Literal, get_args

from looprig.exceptions import DeclarationError
from looprig.location import Location

__all__ = ["SCOPE_NAMES", "Scope", "ScopeName"]

ScopeName = Literal["function", "class", "module", "package", "session"]
SCOPE_NAMES: Final[tuple[str, ...]] = get_args(ScopeName)


class Scope(IntEnum):
    """How long a fixture instance lives, from the narrowest to the widest."""

    FUNCTION = 0
    CLASS = 1
    MODULE = 2
    PACKAGE = 3
    SESSION = 4

    def __str__(self) -> str:
        return SCOPE_NAMES[self]

    @classmethod
    def parse(cls, name: str, *, of: str, at: Location) -> "Scope":
        """The scope called `name`; `of` and `at` say whose it is.

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
