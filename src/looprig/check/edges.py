"""The vocabulary: an edge leads from a parameter to what answers it; a finding is what is wrong there.

Invariant: a finding reads the same whichever checker found it.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, final

from looprig.check.source import Spot
from looprig.check.typetext import TypeText

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
    "fixture-untyped": "A fixture does not say what it provides.",
    "override-type": "A fixture provides something else than the one that it overrides.",
    "parametrize-type": "A value of a parametrization is not of the type that its parameter declares.",
    "provides-type": "A service does not have what a Protocol that it provides asks for.",
    "declaration": "A declaration is wrong in another way.",
    "unused-ignore": "A comment suppresses nothing.",
}
"""What each code of a finding stands for."""

Unwrap = Literal["value", "yield", "async yield"]


@final
@dataclass(frozen=True, slots=True)
class Edge:
    """What `declared` says is taken, `provided` is given: by a generator, if `unwrap` says so.

    What a fixture overrides is what it has to give: that may be a generator too, hence `declared_unwrap`.

    `user` and `provider` are how findings call the two ends; `name` is the parameter.
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
        """What to tell if the types do not fit."""
        declared, provided = self.declared.shown(), self.provided.shown()
        match self.code:
            case "override-type":
                return f'{self.user} provides "{provided}" but overrides {self.provider}, which provides "{declared}"'
            case "provides-type":
                return f'{self.user} says that it provides "{declared}" but is none'
            case "parametrize-type" if self.name in {"returns", "yields"}:
                return f'{self.user} {self.name} "{declared}" but {self.provider} gives "{provided}"'
            case "parametrize-type":
                return f'{self.user} declares "{self.name}: {declared}" but {self.provider} gives "{provided}"'
            case _:
                return f'{self.user} declares "{self.name}: {declared}" but {self.provider} provides "{provided}"'

    def unchecked(self, name: str) -> str:
        """What to tell if a name stands for nothing that the checker can see."""
        return (
            f'{self.user} declares "{self.name}: {self.declared.shown()}", which is not checked against '
            f'{self.provider}: "{name}" cannot be resolved'
        )


@final
@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong, and where."""

    spot: Spot
    code: Code
    message: str
    fix: str = field(default="", compare=False)
