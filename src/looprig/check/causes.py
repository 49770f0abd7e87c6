"""Merging of findings with the same cause into one finding with a count.

If the checker does not know a type, or a fixture's return annotation is wrong, each parameter concerned is a finding.
Does not suppress findings (`suppress` does that first, since each finding has its own line).
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from looprig.check.edges import Finding
from looprig.check.output import shown_path

__all__ = ["by_cause"]

_MANY: Final = 5
"""Minimum number of mismatches that are merged, since the fixture is then more likely to be wrong."""
_SHOWN: Final = 3


def by_cause(findings: Iterable[Finding], root: Path) -> list[Finding]:
    """Return the first finding of each cause, with the number of the others and the places of some of them."""
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
