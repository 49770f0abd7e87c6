"""The scopes of pytest, in order, without importing pytest; and `run`, which only services can have.

Invariant: `Scope` compares by width: `Scope.MODULE > Scope.FUNCTION`.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, Literal, get_args

from looprig.exceptions import DeclarationError
from looprig.location import Location

__all__ = ["SCOPE_NAMES", "SERVICE_SCOPE_NAMES", "Scope", "ScopeName", "ServiceScopeName"]

ScopeName = Literal["function", "class", "module", "package", "session"]
ServiceScopeName = Literal["function", "class", "module", "package", "session", "run"]
SCOPE_NAMES: Final[tuple[str, ...]] = get_args(ScopeName)
SERVICE_SCOPE_NAMES: Final[tuple[str, ...]] = get_args(ServiceScopeName)


class Scope(IntEnum):
    """The lifetime of a fixture instance, from the narrowest to the widest."""

    FUNCTION = 0
    CLASS = 1
    MODULE = 2
    PACKAGE = 3
    SESSION = 4
    RUN = 5

    def __str__(self) -> str:
        return SERVICE_SCOPE_NAMES[self]

    @property
    def in_pytest(self) -> "Scope":
        """The scope that pytest knows: in each worker of pytest-xdist, what lives for the run lives for the session."""
        return min(self, Scope.SESSION)

    @classmethod
    def parse(cls, name: str, *, of: str, at: Location, names: Sequence[str] = SCOPE_NAMES) -> "Scope":
        """Return the scope called `name`. `of` and `at` are the name and location of what declares it.

        `names` are those that are allowed.

        Raises:
            DeclarationError: there is no such scope.
        """
        try:
            return cls(names.index(name))
        except ValueError:
            why = "only services can have" if name in SERVICE_SCOPE_NAMES else "pytest does not know"
            raise DeclarationError(
                f"{of} has scope {name!r}, which {why}.",
                [(of, at)],
                f"Use one of {', '.join(names)}.",
            ) from None
