"""Places that are left to do by hand."""

from dataclasses import dataclass
from typing import final

__all__ = ["Left"]


@final
@dataclass(frozen=True, slots=True, order=True)
class Left:
    """A place that is left unchanged. Lines and columns are counted from 1."""

    line: int
    column: int
    reason: str
