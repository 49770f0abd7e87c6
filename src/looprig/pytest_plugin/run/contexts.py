"""Contexts: everything that depends on a fixture sees the context variables that the fixture set.

Does not decide what depends on what (`fixtures` and `requests` do).

Invariants:
1. A variable that a fixture sets is seen by its dependents, and by nothing else.
2. A fixture that a test or fixture requests while it runs starts from a clean context, not from the requester's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.pytest_plugin._compat.requests import resolved_definitions
from looprig.runtime.context import Changes, context_with, new_in

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition

__all__ = ["NOTHING", "Contexts", "Legacy"]

Legacy = tuple[frozenset[object], tuple[Changes, ...]]
"""What a fixture passes on to its dependents: live async fixtures, and changes to context variables.

The fixtures are those that it depends on, and the fixture itself.
"""

NOTHING: Final[Legacy] = (frozenset(), ())


@final
class Contexts:
    """The legacies of the live fixtures, and the contexts that are made from them."""

    def __init__(self) -> None:
        self.legacies: Final[dict[Definition, Legacy]] = {}
        """The legacies of those fixtures that have any."""
        self._clean: ContextVar[Context] = ContextVar("looprig.clean_context")

    def clean(self) -> Context:
        """Return the context outside of all fixtures and tests."""
        clean = self._clean.get(None)  # it may be empty, and an empty context is false
        return copy_context() if clean is None else clean

    def enter(self, carried: tuple[Changes, ...], owner: object) -> Context:
        """Return a context for sync code or a test of `owner`, with the `carried` changes applied."""
        clean = self._clean.get(None)  # as in `clean`, which would be one more call for each test
        if clean is None:
            clean = copy_context()
        context = context_with(clean, carried, owner)
        context.run(self._clean.set, clean)
        return context

    def of_test(self, item: pytest.Function, owner: object) -> tuple[Context, frozenset[object]]:
        """Return a test's context, with the changes of its fixtures, and the live fixtures that it depends on."""
        live, carried = self.inherited(resolved_definitions(item))
        return self.enter(carried, owner), live

    def inherited(self, definitions: Iterable[Definition]) -> Legacy:
        """Return the combined legacies of `definitions`."""
        legacies = self.legacies
        live, carried = NOTHING
        for definition in definitions:
            legacy = legacies.get(definition)
            if legacy is not None:
                live = live | legacy[0] if live else legacy[0]
                carried = (*carried, *new_in(legacy[1], carried)) if carried and legacy[1] else carried or legacy[1]
        return live, carried
