"""The errors that checks found, each with the tests that it concerns.

Does not find errors (the checks do), and does not report them (`report` does).

Invariant: a mistake in one place is one error, however many tests it was found for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import final

import pytest

from looprig.exceptions import LooprigError

__all__ = ["Found", "ItemErrors"]

Found = Iterator[tuple[LooprigError, Iterable[pytest.Item]]]
"""The errors that a check yields, each with the tests that it concerns."""


@final
class ItemErrors:
    """The errors of one collection, by test."""

    def __init__(self, found: Iterable[tuple[LooprigError, Iterable[pytest.Item]]]) -> None:
        self._errors: dict[object, LooprigError] = {}
        self._by_item: dict[pytest.Item, dict[LooprigError, None]] = {}
        for error, items in found:
            # Only the first party counts: the others may name the test for which the error was found.
            known = self._errors.setdefault((error.what, error.parties[:1]), error)
            for item in items:
                self._by_item.setdefault(item, {})[known] = None

    def of(self, item: pytest.Item) -> Collection[LooprigError]:
        """Return the errors that concern a test."""
        return self._by_item.get(item, ())

    @property
    def items(self) -> Collection[pytest.Item]:
        """The tests that have errors."""
        return self._by_item.keys()

    def all(self) -> Sequence[LooprigError]:
        """Return each error once, in the order in which they were found, including those that concern no test."""
        return [*self._errors.values()]

    def of_tests(self) -> Sequence[LooprigError]:
        """Return each error that concerns a test, once."""
        concerning = set[LooprigError]().union(*self._by_item.values())
        return [error for error in self._errors.values() if error in concerning]
