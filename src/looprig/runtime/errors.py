"""Several errors that came up while something ended, raised as one.

Invariant: what ends the program is never lost in a group, where neither Python nor pytest would look for it.
"""

from collections.abc import Sequence
from typing import Final

__all__ = ["ENDS_THE_PROGRAM", "raise_together"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

ENDS_THE_PROGRAM: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)


def raise_together(errors: Sequence[BaseException], title: str) -> None:
    """Raise an error, or several as a group; of one that ends the program the others become notes."""
    ending = next((error for error in errors if isinstance(error, ENDS_THE_PROGRAM)), None)
    if ending is not None:
        for other in errors:
            if other is not ending:
                ending.add_note(f"Besides, {type(other).__name__}: {other}")
        raise ending
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup(title, errors)
