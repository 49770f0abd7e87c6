"""Checks of the values that users pass: numbers of seconds, counts, strings, functions and others.

Does not know what a value is for. Pure.

Invariants:
1. A check never raises, whatever the value.
2. A bool is never a number. Neither is nan, infinity, or a number that is too large for a timer or a size.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeGuard, cast, final

from looprig.exceptions import DeclarationError
from looprig.location import Location, is_foreign, user_location

__all__ = [
    "COUNT",
    "DURATION",
    "FLAG",
    "FUNCTION",
    "PATH",
    "PLAIN_FUNCTION",
    "PORT",
    "POSITIVE",
    "PROBABILITY",
    "SECONDS",
    "STRING",
    "TEXT",
    "WHOLE",
    "Check",
    "Parties",
    "check_values",
    "instance_of",
    "number",
    "one_of",
    "shown",
    "whole_number",
]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

Parties: TypeAlias = Sequence[tuple[str, Location]] | Callable[[], Sequence[tuple[str, Location]]]
"""The names and locations to show in an error, or a function that finds them, which may read a source file."""

LARGEST: Final = sys.maxsize
_WIDTH: Final = 80
"""Maximum number of characters of a value that a message shows."""


@final
@dataclass(frozen=True, slots=True)
class Check:
    """A rule for a value: a description of what it must be, and the test."""

    expected: str
    accepts: Callable[[object], bool]

    def or_none(self) -> "Check":
        """Return a check that accepts `None` too."""
        return Check(f"{self.expected}, or None", lambda value: value is None or self.accepts(value))


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(expected: str, *, low: float = 0, high: float = LARGEST, above: bool = False) -> Check:
    """Return a check for a number from `low` to `high`; with `above`, `low` itself is excluded."""
    return Check(expected, lambda value: _is_number(value) and low <= value <= high and not (above and value == low))


def whole_number(expected: str, *, low: int = 0, high: int = LARGEST) -> Check:
    """Return a check for an int from `low` to `high`."""
    return Check(expected, lambda value: _is_number(value) and isinstance(value, int) and low <= value <= high)


def one_of(*words: str) -> Check:
    """Return a check for one of some strings."""
    return Check(f"one of {', '.join(map(repr, words))}", lambda value: isinstance(value, str) and value in words)


def instance_of(expected: str, *kinds: type) -> Check:
    """Return a check for an object of one of some classes."""
    return Check(expected, lambda value: isinstance(value, kinds))


COUNT: Final = whole_number("a whole number, 0 or more")
DURATION: Final = number("a number of seconds above 0", above=True)
FLAG: Final = instance_of("True or False", bool)
FUNCTION: Final = Check("a function", callable)
PLAIN_FUNCTION: Final = Check(
    "a function that isn't async", lambda value: callable(value) and not inspect.iscoroutinefunction(value)
)
PORT: Final = whole_number("a port number from 1 to 65535", low=1, high=65535)
POSITIVE: Final = whole_number("a whole number above 0", low=1)
PROBABILITY: Final = number("a number between 0 and 1", high=1)
SECONDS: Final = number("a number of seconds, 0 or more")
WHOLE: Final = whole_number("a whole number", low=-LARGEST)
STRING: Final = instance_of("a string", str)
TEXT: Final = Check("a string that isn't empty", lambda value: isinstance(value, str) and bool(value))
PATH: Final = Check(
    "a path that isn't empty",
    lambda value: isinstance(value, str | os.PathLike) and TEXT.accepts(os.fspath(cast("os.PathLike[str]", value))),
)


def shown(value: object) -> str:
    """Return a short text for a value, to show in messages."""
    try:
        text = getattr(value, "__qualname__", None) if isinstance(value, type) else None
        text = text or repr(value)
    except Exception:  # noqa: BLE001 - a suite's own __repr__, or an int with too many digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def check_values(name: str, values: Iterable[tuple[str, object, Check]], parties: Parties = ()) -> None:
    """Check values that were passed to `name`. Each has a name, the value, and a check.

    Raises:
        DeclarationError: some are wrong. Without `parties`, it shows the user's line.
    """
    wrong = [each for each in values if not each[2].accepts(each[1])]
    if not wrong:
        return
    given = " and ".join(f"{field}={shown(value)}" for field, value, _ in wrong)
    raise DeclarationError(
        f"{name} was given {given}.",
        (parties() if callable(parties) else parties)
        or [(name, at) for at in [user_location()] if not is_foreign(at.path)],
        "; ".join(f"{field} must be {_expected(check, value)}" for field, value, check in wrong) + ".",
    )


def _expected(check: Check, value: object) -> str:
    # Mention this limit only to users who exceed it.
    is_too_large = _is_number(value) and LARGEST < value < float("inf")
    return f"{check.expected}, and at most sys.maxsize" if is_too_large else check.expected
