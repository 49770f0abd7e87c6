"""Findings as text for people, and in formats for programs."""

import json
from pathlib import Path

import pytest

from looprig.check.edges import CODES, Finding
from looprig.check.output import FORMATS
from looprig.check.source import Source, Spot
from looprig.check.suppress import suppressed

ROOT = Path("/project")
FINDINGS = [
    Finding(Spot("/project/tests/test_it.py", 3, 13), "fixture-type", 'test "a" declares: 100 %\nwrong'),
    Finding(Spot("/elsewhere/a,b.py", 1), "declaration", "broken"),
]


def test_text_is_one_line_for_each_that_a_terminal_makes_clickable() -> None:
    text = FORMATS["text"](FINDINGS[1:], ROOT)
    assert text == "/elsewhere/a,b.py:1:1: broken  [declaration]"
    assert FORMATS["text"](FINDINGS, ROOT).startswith("tests/test_it.py:3:13: ")


def test_json_is_a_list_of_facts() -> None:
    assert json.loads(FORMATS["json"](FINDINGS[:1], ROOT)) == [
        {
            "path": "tests/test_it.py",
            "line": 3,
            "column": 13,
            "code": "fixture-type",
            "message": 'test "a" declares: 100 %\nwrong',
        }
    ]
    assert json.loads(FORMATS["json"]([], ROOT)) == []


def test_github_is_told_in_its_commands() -> None:
    """Escaped as documented: `%`, line ends, and in properties `:` and `,`."""
    assert FORMATS["github"](FINDINGS, ROOT).splitlines() == [
        '::error file=tests/test_it.py,line=3,col=13,title=fixture-type::test "a" declares: 100 %25%0Awrong',
        "::error file=/elsewhere/a%2Cb.py,line=1,col=1,title=declaration::broken",
    ]


def test_sarif_has_every_rule_and_each_result() -> None:
    document = json.loads(FORMATS["sarif"](FINDINGS, ROOT))
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(CODES)
    first = run["results"][0]
    assert first["ruleId"] == "fixture-type"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "tests/test_it.py"},
        "region": {"startLine": 3, "startColumn": 13},
    }


def source(text: str) -> Source:
    return Source("/project/a.py", "a", text, {})


def finding(line: int, code: str = "fixture-type") -> Finding:
    return Finding(Spot("/project/a.py", line, 1), code, "wrong")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("comment", "findings", "left"),
    [
        ("# looprig: ignore[fixture-type]", [finding(1)], []),
        ("#looprig:ignore[ fixture-type ]", [finding(1)], []),
        ("# noqa  # looprig: ignore[fixture-type]", [finding(1)], []),
        ("# looprig: ignore[fixture-missing]", [finding(1)], ["fixture-type", "unused-ignore"]),
        ("# looprig: ignore[fixture-type]", [finding(2)], ["unused-ignore", "fixture-type"]),
        ("# looprig: ignore[fixture-type, fixture-missing]", [finding(1), finding(1, "fixture-missing")], []),
        ("# looprig: ignore[fixture-type, fixture-type]", [finding(1)], ["unused-ignore"]),
        ("# looprig: ignore[fixture-typo]", [], ["unused-ignore"]),
        ("# looprig: ignore", [finding(1)], ["fixture-type", "unused-ignore"]),
        ("'# looprig: ignore[fixture-type]'", [finding(1)], ["fixture-type"]),
    ],
)
def test_a_comment_takes_away_what_it_names(comment: str, findings: list[Finding], left: list[str]) -> None:
    assert [each.code for each in suppressed(findings, [source(f"x = 1; {comment}\n")])] == left


def test_each_code_in_a_comment_takes_one_finding_away() -> None:
    two = [finding(1), Finding(Spot("/project/a.py", 1, 9), "fixture-type", "wrong as well")]
    (left,) = suppressed(two, [source("x = 1  # looprig: ignore[fixture-type]\n")])
    assert left.spot.column == 9
    assert suppressed(two, [source("x = 1  # looprig: ignore[fixture-type, fixture-type]\n")]) == []
