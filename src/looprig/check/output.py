"""Findings as text, JSON, GitHub annotations, or SARIF.

Does not print anything.

Formats: workflow commands as documented by GitHub ("Workflow commands for GitHub Actions", `::error`); SARIF 2.1.0 as
standardized by OASIS.
"""

import json
import os
import site
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from looprig._version import __version__
from looprig.check.edges import CODES, Finding

__all__ = ["FORMATS", "shown_path", "shown_place"]


def _text(findings: Sequence[Finding], root: Path) -> str:
    return "\n".join(_line(finding, root) for finding in findings)


def _line(finding: Finding, root: Path) -> str:
    spot = finding.spot
    return f"{shown_path(spot.path, root)}:{spot.line}:{spot.column}: {finding.message}  [{finding.code}]"


def _json(findings: Sequence[Finding], root: Path) -> str:
    return json.dumps([_facts(finding, root) for finding in findings], indent=2)


def _facts(finding: Finding, root: Path) -> dict[str, Any]:
    spot = finding.spot
    return {
        "path": shown_path(spot.path, root),
        "line": spot.line,
        "column": spot.column,
        "code": finding.code,
        "message": finding.message,
    }


def _github(findings: Sequence[Finding], root: Path) -> str:
    return "\n".join(_annotation(finding, root) for finding in findings)


def _annotation(finding: Finding, root: Path) -> str:
    spot = finding.spot
    place = f"file={_escaped(shown_path(spot.path, root), ',:')},line={spot.line},col={spot.column}"
    return f"::error {place},title={finding.code}::{_escaped(finding.message)}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{also}" else char for char in text)


def _sarif(findings: Sequence[Finding], root: Path) -> str:
    rules = [{"id": code, "shortDescription": {"text": text}} for code, text in CODES.items()]
    driver = {"name": "looprig", "version": __version__, "rules": rules}
    results = [_result(finding, root) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(finding: Finding, root: Path) -> dict[str, Any]:
    region = {"startLine": finding.spot.line, "startColumn": finding.spot.column}
    place = {"artifactLocation": {"uri": shown_path(finding.spot.path, root)}, "region": region}
    return {
        "ruleId": finding.code,
        "level": "error",
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": place}],
    }


def shown_path(path: str, root: Path) -> str:
    """Return a path with slashes, and relative to the project's folder if the file is below that folder."""
    try:
        return Path(path).relative_to(root).as_posix()
    except ValueError:
        return path.replace(os.sep, "/")


def shown_place(path: str, root: Path) -> str:
    """Return a path relative to the project, or to the folder of installed packages, so that it is portable."""
    if Path(path).is_relative_to(root):
        return shown_path(path, root)
    for folder in map(Path, [*site.getsitepackages(), site.getusersitepackages(), *sys.path]):
        if folder != Path() and Path(path).is_relative_to(folder):
            return shown_path(path, folder)
    return path


FORMATS: Final[dict[str, Callable[[Sequence[Finding], Path], str]]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
}
