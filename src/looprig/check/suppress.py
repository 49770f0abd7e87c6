"""Comments that suppress one finding on their line: `# looprig: ignore[fixture-type]`.

Invariants:
1. Each code in a comment suppresses one finding: two mistakes on a line need two codes.
2. A code that suppresses nothing is itself a finding, `unused-ignore`, which can't be suppressed. It is reported only
   if everything that uses the file was inspected.
"""

import io
import re
import tokenize
from collections.abc import Container, Iterable, Iterator
from typing import Final

from looprig.check.edges import CODES, Code, Finding
from looprig.check.source import Source, Spot

__all__ = ["suppressed"]

_COMMENT: Final = re.compile(r"#\s*looprig:\s*ignore(?:\[(?P<codes>[^\]]*)\])?")


def suppressed(
    findings: Iterable[Finding], sources: Iterable[Source], whole: Container[str] | None = None
) -> list[Finding]:
    """Return the remaining findings, and those about comments, in order.

    `whole` are the files whose uses were all inspected. The default is all files.
    """
    left: dict[tuple[str, int], list[Finding]] = {}
    for finding in sorted(set(findings)):
        left.setdefault((finding.spot.path, finding.spot.line), []).append(finding)
    unused: list[Finding] = []
    for source in sources:
        for spot, codes in _comments(source):
            here = left.get((spot.path, spot.line), [])
            for code in codes:
                found = next((finding for finding in here if finding.code == code), None)
                if found is not None:
                    here.remove(found)
                elif code not in CODES or whole is None or spot.path in whole:
                    unused.append(Finding(spot, "unused-ignore", _unused(code)))
            if not codes:
                unused.append(Finding(spot, "unused-ignore", "a comment has to name what it ignores: ignore[code]"))
    return sorted([*unused, *(finding for findings in left.values() for finding in findings)])


def _unused(code: str) -> str:
    if code not in CODES:
        return f'"looprig: ignore[{code}]" ignores nothing: there is no such code'
    return f'"looprig: ignore[{code}]" ignores nothing: there is no such finding on this line'


def _comments(source: Source) -> Iterator[tuple[Spot, list[Code | str]]]:
    if "looprig:" not in source.text:
        return
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and (found := _COMMENT.search(token.string)) is not None:
            codes = [code for each in (found["codes"] or "").split(",") if (code := each.strip())]
            line, column = token.start
            yield Spot(source.path, line, column + 1), codes
