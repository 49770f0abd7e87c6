"""Context variables on their way from a fixture to all that depends on it.

Contexts cannot be merged, so what travels is what each fixture changed. Does not decide who depends on whom.

Invariants:
1. What a fixture set is seen by its dependents and by nothing else.
2. `OWNER` is never carried: a task belongs to whom it was started by.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context, ContextVar
from typing import Any, Final

__all__ = ["OWNER", "Changes", "apply_changes", "changes_between", "context_with", "new_in"]

Changes = Mapping[ContextVar[Any], Any]

OWNER: Final[ContextVar[object]] = ContextVar("looprig.owner")
"""The fixture or test on whose behalf code runs; tasks started there inherit it."""

_ABSENT: Final = object()


def changes_between(before: Context, after: Context) -> Changes:
    """The variables that have another value in `after` than in `before`."""
    return {var: value for var, value in after.items() if var is not OWNER and before.get(var, _ABSENT) is not value}


def context_with(base: Context, carried: Sequence[Changes], owner: object) -> Context:
    """A copy of `base` in which all that is `carried` is set, later changes over earlier ones."""
    context = base.copy()
    context.run(OWNER.set, owner)
    if carried:
        context.run(apply_changes, carried)
    return context


def apply_changes(carried: Iterable[Changes]) -> None:
    """Sets all that is `carried` in the context that runs."""
    for changes in carried:
        for var, value in changes.items():
            var.set(value)


def new_in(carried: Sequence[Changes], before: Sequence[Changes]) -> tuple[Changes, ...]:
    """What is carried and was not before: to set the rest once more would undo what was set over it."""
    return tuple(changes for changes in carried if not any(changes is other for other in before))
