"""Context variables that are carried from a fixture to everything that depends on it.

Contexts can't be merged, so the changes made by each fixture are carried. Does not decide what depends on what.

Invariants:
1. A variable that a fixture sets is seen by its dependents and by nothing else.
2. `OWNER` is never carried, since a task belongs to the owner that started it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context, ContextVar
from typing import Any, Final

__all__ = ["OWNER", "Changes", "apply_changes", "changes_between", "context_with", "new_in"]

Changes = Mapping[ContextVar[Any], Any]

OWNER: Final[ContextVar[object]] = ContextVar("looprig.owner")
"""The fixture or test that the running code belongs to. Tasks inherit it from the code that starts them."""

_ABSENT: Final = object()


def changes_between(before: Context, after: Context) -> Changes:
    """Return the variables that have a different value in `after` than in `before`."""
    return {var: value for var, value in after.items() if var is not OWNER and before.get(var, _ABSENT) is not value}


def context_with(base: Context, carried: Sequence[Changes], owner: object) -> Context:
    """Return a copy of `base` with the `carried` changes applied. Later changes override earlier ones."""
    context = base.copy()
    context.run(OWNER.set, owner)
    if carried:
        context.run(apply_changes, carried)
    return context


def apply_changes(carried: Iterable[Changes]) -> None:
    """Apply the `carried` changes to the current context."""
    for changes in carried:
        for var, value in changes.items():
            var.set(value)


def new_in(carried: Sequence[Changes], before: Sequence[Changes]) -> tuple[Changes, ...]:
    """Return the changes that were not carried before. Applying the others again would undo later changes."""
    return tuple(changes for changes in carried if not any(changes is other for other in before))
