"""Fifty seeded mistakes: mypy and pyright find each of them at its line, and nothing else."""

import json
from pathlib import Path

import pytest

from tests.check.seeded import FILES, SELECTED
from tests.plugin.suite import KEEPING

EXPECTED = {
    (name, number, line.partition("#! ")[2])
    for name, text in FILES.items()
    for number, line in enumerate(text.removeprefix("\n").splitlines(), 1)
    if "#! " in line
}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_all_seeded_mistakes_are_found(pytester: pytest.Pytester, checker: str) -> None:
    assert len(EXPECTED) >= 50
    for name, text in FILES.items():
        path: Path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.removeprefix("\n"), "utf-8")
    options = (f"--check-fixtures={checker}", "--check-overrides", "--check-format=json")
    result = pytester.runpytest_subprocess(*KEEPING, *SELECTED, *options)
    found = {(each["path"], each["line"], each["code"]) for each in json.loads(result.stdout.str())}
    assert found == EXPECTED
