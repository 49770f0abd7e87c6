"""The findings of `--check-fixtures`: each mistake on its line, nothing else, and the same with each type checker."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.check.suite import FILES
from tests.plugin.suite import KEEPING

CHECKERS = ("mypy", "pyright", "ty", "pyrefly")


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester) -> None:
    for name, text in FILES.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.removeprefix("\n"), "utf-8")


def expected() -> Iterator[tuple[str, int, str]]:
    for name, text in FILES.items():
        for number, line in enumerate(text.removeprefix("\n").splitlines(), 1):
            for code in line.partition("#! ")[2].split():
                yield name, number, code


@pytest.mark.parametrize("checker", CHECKERS)
def test_each_mistake_is_found_at_its_line_and_nothing_else(pytester: pytest.Pytester, checker: str) -> None:
    options = ("--check-overrides", "--check-format=json")
    result = pytester.runpytest_subprocess(*KEEPING, f"--check-fixtures={checker}", *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED, result.stderr.str()
    found = [(each["path"], each["line"], each["code"]) for each in json.loads(result.stdout.str())]
    assert sorted(found) == sorted(expected())


def test_the_words_are_the_same_with_each_checker(pytester: pytest.Pytester) -> None:
    told: list[list[str]] = []
    for checker in CHECKERS:
        result = pytester.runpytest_subprocess(*KEEPING, f"--check-fixtures={checker}")
        told.append([line for line in result.stdout.lines if re.search(r"\[[\w-]+\]$", line)])
    assert len(told[0]) > 50
    assert all(each == told[0] for each in told)
