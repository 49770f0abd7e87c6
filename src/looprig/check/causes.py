"""Findings that have one cause, as one finding with a count.

A type that the checker does not know makes each parameter that has it a finding, and so does a fixture whose return
annotation is wrong. Does not suppress findings (`suppress` does, and before this: each has its own line).
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from looprig.check.edges import Finding
from looprig.check.output import shown_path

__all__ = ["by_cause"]

_MANY: Final = 5
"""From so many mismatches on, it is more likely the fixture that is wrong."""
_SHOWN: Final = 3


def by_cause(findings: Iterable[Finding], root: Path) -> list[Finding]:
    """Return the first finding of each cause, with the number of the others and where some of them are."""
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.cause) if finding.cause else finding, []).append(finding)
    found: list[Finding] = []
    for first, *rest in groups.values():
        if not rest or (first.code != "fixture-unchecked" and len(rest) + 1 < _MANY):
            found += [first, *rest]
        else:
            found.append(replace(first, message=f"{first.message} (and {len(rest):,} more: {_places(rest, root)})"))
    return sorted(found)


def _places(findings: list[Finding], root: Path) -> str:
    places = [f"{shown_path(each.spot.path, root)}:{each.spot.line}" for each in findings[:_SHOWN]]
    return ", ".join([*places, *(["..."] if len(findings) > _SHOWN else [])])
