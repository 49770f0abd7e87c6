"""The command of a process service, as a list of strings: the check of what a suite's `command` returned.

Runs nothing. Accepts strings and paths, as the standard library does.
"""

import os
from collections.abc import Sequence
from typing import Final, cast

from looprig.exceptions import ServiceStartError
from looprig.location import Location

__all__ = ["words_of"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


def words_of(given: object, name: str, parties: Sequence[tuple[str, Location]]) -> list[str]:
    """Return the program and its arguments from what `command` of the service `name` returned.

    Raises:
        ServiceStartError: it isn't a list of strings and paths.
    """
    if isinstance(given, str) or not given:
        raise ServiceStartError(
            f"{name}.command returned {given!r}, which is not a program and its arguments.",
            parties,
            "Return a list of strings: there is no shell to split a command line.",
        )
    words: list[str] = []
    wrong: list[object] = []
    for each in cast("Sequence[object]", given):
        word = _word(each)
        if word is None:
            wrong.append(each)
        else:
            words.append(word)
    if wrong:
        first = wrong[0]
        how = f": str({first!r}) instead of {first!r}" if isinstance(first, int | float) else ""
        raise ServiceStartError(
            f"{name}.command returned {' and '.join(map(_with_type, wrong))} among the arguments.",
            parties,
            f"Each must be a string or a path{how}.",
        )
    return words


def _word(value: object) -> str | None:
    found: object = os.fspath(cast("os.PathLike[str]", value)) if isinstance(value, os.PathLike) else value
    return found if isinstance(found, str) else None


def _with_type(value: object) -> str:
    return f"{value!r} ({type(value).__qualname__})"
