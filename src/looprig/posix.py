"""The parts of looprig that need POSIX, and the error where that is missing, as on Windows.

Does not adapt anything to a system. Where systems differ in detail, the code asks for the very function that it calls.

Invariant: what needs POSIX can be imported everywhere. It says so when it is used, before it opens or starts anything.
"""

import os
import sys
from collections.abc import Sequence

from looprig.exceptions import LooprigError
from looprig.location import Location

__all__ = ["is_posix", "posix_missing"]

__tracebackhide__ = True  # an error's message explains it; these frames add nothing


def is_posix() -> bool:
    """Return whether this system forks processes and sends them signals as POSIX says, as Linux and macOS do."""
    return os.name == "posix" and hasattr(os, "fork")


def posix_missing(
    what: str, parties: Sequence[tuple[str, Location]], instead: str, kind: type[LooprigError] = LooprigError
) -> LooprigError:
    """Return the error for something that needs POSIX. `instead` says what to do where there is none."""
    needs = "requires a POSIX system such as Linux or macOS"
    return kind(f"{what} {needs}; this one is {sys.platform}.", parties, f"On other systems, {instead}")
