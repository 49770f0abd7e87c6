"""Runs of suites with wrong declarations, and what a user reads then, word for word.

Paths are shown as the user's own: nothing of where looprig or the test stands. Each such run must end with status 1,
2 or 4, and must show no line of looprig's own code.
"""

import gc
import re
from collections.abc import Mapping
from textwrap import dedent
from typing import Final

import pytest

from tests.plugin.suite import OPTIONS
from tests.services_in_pytest.folders import put

__all__ = ["HEAD", "told_at_collection", "told_at_import", "told_at_run", "told_with_the_plan"]

HEAD: Final = """\
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol
import pytest
from looprig import Fixture, TestClient, loop_config, service_fixture
class Life:
    async def start(self): ...
    async def stop(self): ...
"""
"""What every module begins with: its own lines begin at line 8."""


def _run(pytester: pytest.Pytester, suite: str | Mapping[str, str], *options: str) -> pytest.RunResult:
    files = {"test_it.py": suite} if isinstance(suite, str) else suite
    put(pytester, {name: HEAD + dedent(text).lstrip("\n") for name, text in files.items()})
    return pytester.runpytest_inprocess(*OPTIONS, "-o", "pythonpath=.", *options)


def told_at_collection(pytester: pytest.Pytester, suite: str | Mapping[str, str], *options: str) -> str:
    """Return the summary of refused tests, each error once."""
    result = _run(pytester, suite, *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED, result.stdout.str()
    text = _between(result.stdout.str(), r"looprig: \d+ errors? in \d+ tests?")
    return _clean(pytester, re.sub(r"^\(\d+ tests?\)\n", "", text, flags=re.MULTILINE))


def told_with_the_plan(pytester: pytest.Pytester, suite: str | Mapping[str, str]) -> str:
    """Return the errors that `--explain-loops` shows below the plan."""
    text = _run(pytester, suite, "--explain-loops", "--collect-only", "-q").stdout.str()
    paragraphs = text.partition("\n\ntest_it.py::")[0].split("\n\n")
    is_plan = re.compile(r".*\bloops?\b.*, because of |\d+ (sync )?tests? ").match
    return _clean(pytester, "\n\n".join(text for text in paragraphs if not is_plan(text)))


def told_at_import(pytester: pytest.Pytester, suite: str | Mapping[str, str]) -> str:
    """Return the report of a module that cannot be imported."""
    result = _run(pytester, suite)
    assert result.ret in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR}
    return _clean(pytester, _between(result.stdout.str(), "ERRORS"))


def told_at_run(pytester: pytest.Pytester, suite: str | Mapping[str, str], *, whole: bool = True) -> str:
    """Return the report of a failed test or set-up; with `whole=False`, without the traceback."""
    # A task that an earlier test left for ever logs when it is collected: now, and not while a service starts here.
    gc.collect()
    result = _run(pytester, suite, "--tb=short", "--show-capture=no")
    text = _between(result.stdout.str(), "ERRORS|FAILURES")
    if not whole:
        text = "\n".join(line.removeprefix("E   ") for line in text.splitlines() if line.startswith("E   "))
    return _clean(pytester, text)


def _between(text: str, heading: str) -> str:
    found = re.search(rf"^=+ (?:{heading}) =+\n(.*?)^=+ short test summary", text, re.DOTALL | re.MULTILINE)
    assert found is not None, text
    return found[1]


def _clean(pytester: pytest.Pytester, text: str) -> str:
    text = text.replace(f"{pytester.path}/", "")
    assert "site-packages" not in text
    assert "looprig/" not in text
    # pytest underlines from Python 3.11 on, and not all of them alike.
    lines = [line.rstrip() for line in text.splitlines() if not re.fullmatch(r"\s*\^+\s*", line)]
    return "\n".join(lines).strip() + "\n"
