"""The errors that collection found, each with the tests that it concerns.

Finds none itself (`planning`, `collecting` and `existence` do), and reports none (`refused` does).

Invariant: what is wrong at one place is one error, whichever tests it was found for.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import final

import pytest

from looprig.exceptions import LooprigError

__all__ = ["ItemErrors"]


@final
class ItemErrors:
    """The errors of one collection."""

    def __init__(self) -> None:
        self._errors: dict[object, LooprigError] = {}
        self._by_item: dict[pytest.Item, list[LooprigError]] = {}

    def add(self, item: pytest.Item, errors: Iterable[LooprigError]) -> None:
        """Note errors that concern a test."""
        for error in errors:
            # The other parties may name the test for which it was found.
            known = self._errors.setdefault((error.what, error.parties[:1]), error)
            own = self._by_item.setdefault(item, [])
            if known not in own:
                own.append(known)

    def of(self, item: pytest.Item) -> Sequence[LooprigError]:
        """Return the errors that concern a test."""
        return self._by_item.get(item, ())

    def all(self) -> Sequence[LooprigError]:
        """Return each error once, in the order in which they were found."""
        return [*self._errors.values()]

    def __iter__(self) -> Iterator[pytest.Item]:
        return iter(self._by_item)

    def __bool__(self) -> bool:
        return bool(self._by_item)
