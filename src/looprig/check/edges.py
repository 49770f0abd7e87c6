"""Edges and findings: an edge leads from a parameter to the fixture that provides it, and a finding is a mistake there.

Invariant: the text of a finding doesn't depend on the checker that found it.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, final

from looprig.check.source import Spot
from looprig.check.typetext import TypeText, shown_apart

__all__ = ["CODES", "Code", "Edge", "Finding", "Unwrap"]

Code = Literal[
    "fixture-type",
    "fixture-missing",
    "fixture-scope",
    "fixture-unchecked",
    "fixture-untyped",
    "override-type",
    "parametrize-type",
    "provides-type",
    "declaration",
    "unused-ignore",
]
CODES: Final[dict[Code, str]] = {
    "fixture-type": "A parameter declares another type than its fixture provides.",
    "fixture-missing": "There is no fixture of that name.",
    "fixture-scope": "A fixture asks for one that ends before it.",
    "fixture-unchecked": "A type cannot be resolved, so that nothing is known about the edge.",
    "fixture-untyped": "A fixture has no return annotation.",
    "override-type": "A fixture provides something else than the one that it overrides.",
    "parametrize-type": "A value of a parametrization is not of the type that its parameter declares.",
    "provides-type": "A service does not implement a Protocol that it is declared to provide.",
    "declaration": "A declaration is wrong in another way.",
    "unused-ignore": "A comment suppresses nothing.",
}
"""The meaning of each code of a finding."""

Unwrap = Literal["value", "yield", "async yield"]


@final
@dataclass(frozen=True, slots=True)
class Edge:
    """A declared type and the type that is provided for it.

    `unwrap` says whether the provider is a generator. If the edge is an override, the other end is a fixture too, and
    `declared_unwrap` says whether that is a generator. `user` and `provider` are the names of the two ends in findings,
    and `name` is that of the parameter.
    """

    code: Code
    user: str
    name: str
    spot: Spot
    declared: TypeText
    provided: TypeText
    provider: str
    unwrap: Unwrap = "value"
    declared_unwrap: Unwrap = "value"

    def mismatch(self) -> str:
        """Return the message for types that don't match."""
        declared, provided = shown_apart(self.declared, self.provided)
        match self.code:
            case "override-type":
                return f'{self.user} provides "{provided}" but overrides {self.provider}, which provides "{declared}"'
            case "provides-type":
                return f'{self.user} declares that it provides "{declared}" but does not implement it'
            case "parametrize-type" if self.name in {"returns", "yields"}:
                return f'{self.user} {self.name} "{declared}" but {self.provider} passes "{provided}"'
            case "parametrize-type":
                return f'{self.user} declares "{self.name}: {declared}" but {self.provider} passes "{provided}"'
            case _:
                return f'{self.user} declares "{self.name}: {declared}" but {self.provider} provides "{provided}"'

    def unchecked(self, reason: str) -> str:
        """Return the message for an edge that the checker can't check."""
        return (
            f'{self.user} declares "{self.name}: {self.declared.shown()}", which is not checked against '
            f"{self.provider}: {reason}"
        )

    def cause(self) -> str:
        """Return a key that errors with the same name, fixture and types share, or "" for other codes."""
        if self.code != "fixture-type":
            return ""
        return f"{self.name}: {self.declared.shown()} from {self.provider}: {self.provided.shown()}"


@final
@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A mistake and its place. Findings with the same `cause` may be reported as one, with a count."""

    spot: Spot
    code: Code
    message: str
    cause: str = field(default="", compare=False)
