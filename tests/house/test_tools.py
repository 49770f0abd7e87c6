"""The tools that keep the house: the changelog's fragments, and the steps of CI."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.house.repository import ROOT
from tools import changelog, dev

ENVIRONMENT = dev.Environment("nothing", (), wheel=False)


def python(code: str) -> str:
    """The command that runs this code."""
    return shlex.join((sys.executable, "-c", code))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a changelog and two fragments."""
    (tmp_path / "changelog.d").mkdir()
    (tmp_path / "changelog.d" / "README.md").write_text("# Fragments")
    (tmp_path / "changelog.d" / "12.fixed.md").write_text("A loop is closed\nonly once.\n")
    (tmp_path / "changelog.d" / "3-more.added.md").write_text("Loops.")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n<!-- releases -->\n\n## 0.1.0\n\nFirst.\n")
    return tmp_path


def test_a_release_writes_its_fragments_above_the_one_before(repository: Path) -> None:
    assert changelog.main(["release", "0.2.0"], repository) == 0
    text = (repository / "CHANGELOG.md").read_text()
    assert "### Added\n\n- Loops. (#3)\n\n### Fixed\n\n- A loop is closed\n  only once. (#12)\n\n## 0.1.0" in text
    assert text.index("## 0.2.0 (") < text.index("### Added")
    assert [path.name for path in (repository / "changelog.d").iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("12.bug.md", "A loop.", "12.bug.md: name it <issue>.<kind>.md"),
        ("12.fixed.md", "", "12.fixed.md: empty"),
        ("12.fixed.md", "- A loop.", "12.fixed.md: write plain sentences"),
    ],
)
def test_a_wrong_fragment_is_told(
    repository: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, complaint: str
) -> None:
    (repository / "changelog.d" / name).write_text(text)
    assert changelog.main(["check"], repository) == 1
    assert complaint in capsys.readouterr().err


def test_every_group_that_an_environment_names_is_declared() -> None:
    steps = (*dev.STATIC_STEPS, *dev.FAST_SUITE, *dev.wheel_suite([("3.11", sys.executable)]), dev.EXAMPLE_STEP)
    assert {group for step in steps for group in step.environment.groups} <= set(dev.dependency_groups())


def test_every_requirement_is_pinned() -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = {
        requirement.partition(">")[0].partition("[")[0]
        for group in dev.dependency_groups().values()
        for requirement in group
    }
    assert wanted <= pinned


def test_the_main_python_comes_last_with_the_closing_line() -> None:
    steps = dev.wheel_suite([("3.11", sys.executable), ("3.12", sys.executable)])
    names = [step.name for step in steps]
    assert names.index("suite: wheel-3.12") < names.index("suite: wheel-3.11")
    assert [step.name for step in steps if step.closes] == ["suite: wheel-3.11"]


def test_a_failed_step_is_told_and_the_closing_line_comes_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop = dev.Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    closing = "===== 3 passed, 1 skipped in 0.25s ====="
    passes = python(f"print('{closing}'); print('later')")
    fails = python("raise SystemExit(3)")
    assert workshop.run(dev.Step("suite", ENVIRONMENT, passes, closes=True))
    assert not workshop.run(dev.Step("gate", ENVIRONMENT, fails))
    assert workshop.conclude() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == closing
    assert lines[-2].endswith("failed: gate")


def test_a_program_that_is_not_there_is_a_failed_step(tmp_path: Path) -> None:
    workshop = dev.Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    assert not workshop.run(dev.Step("lost", ENVIRONMENT, "no-such-program"))
    assert workshop.conclude() == 1


def test_a_step_that_takes_too_long_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "STEP_LIMIT", 0.2)
    workshop = dev.Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    hangs = python("import time; time.sleep(60)")
    assert not workshop.run(dev.Step("hangs", ENVIRONMENT, hangs))


@pytest.mark.parametrize("name", ["PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PIP_TARGET", "PYTEST_ADDOPTS"])
def test_a_shell_cannot_change_what_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    workshop = dev.Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    command = python(f"import os; raise SystemExit({name!r} in os.environ)")
    assert workshop.run(dev.Step("look", ENVIRONMENT, command))


def test_a_setting_of_where_pip_looks_stays_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://mirror.test/simple")
    workshop = dev.Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    command = python("import os; raise SystemExit('PIP_INDEX_URL' not in os.environ)")
    assert workshop.run(dev.Step("look", ENVIRONMENT, command))


def test_a_script_that_only_looks_like_a_python_is_passed_over(tmp_path: Path) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert not dev.is_python(str(shim), "3.12")
    assert dev.is_python(sys.executable, ".".join(map(str, sys.version_info[:2])))
