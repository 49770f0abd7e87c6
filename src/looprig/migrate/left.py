"""What is left to do by hand, and where."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import libcst as cst
from libcst.metadata import CodeRange

__all__ = ["Left", "Positions", "left_at"]

Positions = Mapping[cst.CSTNode, Any]
"""The `CodeRange` of each node of a module."""


@final
@dataclass(frozen=True, slots=True, order=True)
class Left:
    """A place that is left as it is. Lines and columns are counted from 1."""

    line: int
    column: int
    reason: str


def left_at(node: cst.CSTNode, positions: Positions, reason: str) -> Left:
    """Return what is left at a node."""
    at: CodeRange = positions[node]
    return Left(at.start.line, at.start.column + 1, reason)
