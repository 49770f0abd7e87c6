"""The Protocol of rewritings, and their input."""

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Protocol, final

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from looprig.migrate.left import Left
from looprig.migrate.names import Names
from looprig.migrate.suite import Suite

__all__ = ["File", "Rewriting"]


@final
@dataclass(frozen=True, slots=True)
class File:
    """A Python file of a suite. `module` and `text` are its contents before a rewriting."""

    path: PurePath
    module: cst.Module
    text: bytes
    suite: Suite
    left: list[Left] = field(default_factory=list[Left])
    """What is left to do by hand. Rewritings add to it."""

    @property
    def names(self) -> Names:
        """The origins of the names of the file."""
        return Names(self.text)

    def leave(self, *found: tuple[cst.CSTNode, str]) -> None:
        """Record nodes of `module` that are left unchanged, with the reason."""
        if found:
            positions: Any = MetadataWrapper(self.module, unsafe_skip_copy=True).resolve(PositionProvider)
            for node, reason in found:
                at: CodeRange = positions[node]
                self.left.append(Left(at.start.line, at.start.column + 1, reason))


class Rewriting(Protocol):
    """One kind of change to a file. It returns the same module if there is nothing to change."""

    def __call__(self, file: File, /) -> cst.Module:
        """Return the new module."""
        ...
