"""Raising several errors as one, and finding the single error inside nested groups.

Invariant: an exception that ends the program is never put into a group, where neither Python nor pytest would see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["raise_together", "root_of"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_ENDS_THE_PROGRAM: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)


def raise_together(errors: Sequence[BaseException], title: str) -> None:
    """Raise a single error as it is, and several as a group called `title`.

    If one of them ends the program, raise that one, with the others as notes.
    """
    ending = next((error for error in errors if isinstance(error, _ENDS_THE_PROGRAM)), None)
    if ending is not None:
        for other in errors:
            if other is not ending:
                ending.add_note(f"{type(other).__name__} was raised as well: {other}")
        raise ending
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup(title, errors)


def root_of(error: BaseException) -> BaseException:
    """Return the error inside a group of one, at any depth. A task group wraps even a single error."""
    members: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    # `isinstance` would narrow the type to a group of unknown members.
    is_group = issubclass(type(error), BaseExceptionGroup)
    return root_of(members[0]) if is_group and len(members) == 1 else error
