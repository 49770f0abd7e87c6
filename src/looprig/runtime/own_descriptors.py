"""The descriptors that looprig's own threads have open. They aren't leaks of the test that runs meanwhile."""

from typing import Final

__all__ = ["OWN_DESCRIPTORS"]

OWN_DESCRIPTORS: Final[set[int]] = set()
"""Their numbers. Add one once it is open, and discard it before it is closed."""
