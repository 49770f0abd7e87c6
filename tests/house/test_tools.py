"""The repository's tools: the changelog's fragments, and the steps of CI."""

import re
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from tests.house.repository import ROOT
from tools import changelog, commands, examples, pythons, servers, site, steps, workshop
from tools.pythons import Python
from tools.workshop import Environment, Step, Workshop

ENVIRONMENT = Environment("nothing", (), source="nothing")


def python(code: str) -> str:
    """Return a command that runs this code."""
    return shlex.join((sys.executable, "-c", code))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Create a repository with a changelog and two fragments."""
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


def test_a_section_that_was_written_by_hand_is_kept(repository: Path) -> None:
    """It gets a date, and the fragments that it sums up go. Doing that again refreshes the date."""
    text = "# Changelog\n\n<!-- releases -->\n\n## 0.2.0\n\nLoops, at last.\n\n## 0.1.0 (2026-01-01)\n\nFirst.\n"
    (repository / "CHANGELOG.md").write_text(text)
    with pytest.raises(SystemExit, match=r"already has a section 0\.2\.0: to keep its text, add --written"):
        changelog.main(["release", "0.2.0"], repository)
    for _ in range(2):
        assert changelog.main(["release", "0.2.0", "--written"], repository) == 0
        found = (repository / "CHANGELOG.md").read_text()
        assert re.fullmatch(r"## 0\.2\.0 \(\d{4}-\d\d-\d\d\)", found.splitlines()[4])
        assert found.replace(found.splitlines()[4], "## 0.2.0") == text
    assert [path.name for path in (repository / "changelog.d").iterdir()] == ["README.md"]
    with pytest.raises(SystemExit, match=r"has no section 0\.3\.0: write it first"):
        changelog.main(["release", "0.3.0", "--written"], repository)


def test_what_is_left_to_do_before_a_release_is_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = repository / "src/looprig/_version.py"
    version.parent.mkdir(parents=True)
    version.write_text('__version__: Final = "0.1.0"\n')
    assert changelog.main(["ready", "0.2.0"], repository) == 1
    assert capsys.readouterr().err.splitlines() == [
        "_version.py says 0.1.0, not 0.2.0",
        "CHANGELOG.md has no section 0.2.0 with a date: run `python3 tools/changelog.py release 0.2.0`",
        "2 fragments are left in changelog.d",
    ]
    version.write_text('__version__: Final = "0.2.0"\n')
    changelog.main(["release", "0.2.0"], repository)
    assert changelog.main(["ready", "0.2.0"], repository) == 0
    changelog.main(["release", "0.3.0"], repository)
    assert changelog.main(["ready", "0.2.0"], repository) == 1
    assert "0.2.0 isn't the newest section of CHANGELOG.md, which is 0.3.0 (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("12.bug.md", "A loop.", "12.bug.md: must be named <issue>.<kind>.md"),
        ("12.fixed.md", "", "12.fixed.md: is empty"),
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
    suite = steps.wheel_suite([Python("3.11", sys.executable)])
    every = (
        *steps.STATIC_STEPS,
        *site.SITE_STEPS,
        *steps.FAST_SUITE,
        *suite,
        *(example.step(ROOT) for example in examples.EXAMPLES.values()),
    )
    environments = {*(step.environment for step in every), workshop.BUILD}
    assert {group for each in environments for group in each.groups} <= set(workshop.dependency_groups())


def test_every_requirement_is_pinned() -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = {
        requirement.partition(">")[0].partition("[")[0]
        for group in workshop.dependency_groups().values()
        for requirement in group
    }
    assert wanted <= pinned


def test_the_newest_python_comes_last_with_the_closing_line() -> None:
    found = steps.wheel_suite([Python("3.12", sys.executable), Python("3.11", sys.executable)])
    names = [step.name for step in found]
    assert names.index("suite: wheel-3.11") < names.index("suite: wheel-3.12")
    assert [step.name for step in found if step.closes] == ["suite: wheel-3.12"]


def test_one_python_alone_runs_everything_once() -> None:
    names = [step.name for step in steps.wheel_suite([Python("3.13", sys.executable)])]
    assert [name for name in names if name.startswith("suite: wheel")] == ["suite: wheel-3.13"]


@pytest.mark.parametrize("main", ["3.11", "3.13", "3.15"])
def test_all_is_run_on_the_newest_python_and_most_on_the_oldest(main: str) -> None:
    versions = [main, *(version for version in pythons.PYTHONS if version != main)]
    found = steps.wheel_suite([Python(version, sys.executable) for version in versions])
    names = {step.name for step in found}
    whole = {"3.11", "3.15"}
    assert {f"suite: wheel-{version}" for version in whole} <= names
    assert {"suite: peers-3.15", "suite: stubs-3.15"} <= names
    parts = {f"suite: wheel-{version} (a part)" for version in versions if version not in whole}
    assert {name for name in names if name.endswith("(a part)")} == parts
    assert {step.environment.name for step in found if step.command.startswith("coverage")} == {
        f"{kind}-3.15" for kind in ("wheel", "peers", "stubs")
    }


def test_the_parts_that_are_named_exist() -> None:
    assert [part for part in (*steps.PARTS, *steps.OF_NEWEST) if not (ROOT / "tests" / part).exists()] == []


def test_the_pythons_are_those_that_the_package_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    classifiers = [text.rpartition(" ")[2] for text in project["classifiers"] if "Python :: 3." in text]
    assert classifiers == [*pythons.PYTHONS]
    assert project["requires-python"] == f">={pythons.PYTHONS[0]}"


@pytest.mark.parametrize("fails", [True, False])
def test_a_python_that_is_not_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, fails: bool
) -> None:
    """In CI that is a failure; elsewhere the suite runs without it."""
    monkeypatch.setattr(commands, "missing_pythons", lambda: ["3.15"])
    shop = Workshop(tmp_path)
    commands.report_missing(shop, fails=fails)
    assert shop.conclude() == fails
    assert "Python 3.15 isn't installed, so nothing runs on it (`tools/bring-python 3.15` may install it)" in (
        capsys.readouterr().out
    )


def test_a_server_that_is_missing_and_cannot_be_brought_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    there = servers.Needed("Json", "json", module="json")
    missing = servers.Needed("Base", "base-server", ("base",), ("usr/nowhere/*/base",))
    assert servers.bring([there])
    assert not servers.bring([missing, there])
    assert capsys.readouterr().out == (
        "Base is not on this machine, and neither is apt-get to install it. Debian's package is base-server.\n"
    )


def test_a_python_that_was_brought_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = next(version for version in pythons.PYTHONS if version != ".".join(map(str, sys.version_info[:2])))
    program = tmp_path / "pythons" / version / "bin" / f"python{version}"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Python(version, str(program)) in pythons.find_pythons()
    assert version not in pythons.missing_pythons()


def test_what_cannot_be_installed_on_the_newest_python_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything except what the tests themselves need. An older Python must have everything."""

    def install(_: Workshop, name: str, what: str, arguments: list[str], *, matters: bool = True) -> bool:
        passed = not any("uvloop" in argument or "[all]" in argument for argument in arguments)
        shop.outcomes.append(workshop.Outcome(what, passed, matters=matters))
        return passed

    def execute(_: Workshop, name: str, command: tuple[str, ...]) -> bool:
        return True

    monkeypatch.setattr(Workshop, "install", install)
    monkeypatch.setattr(Workshop, "execute", execute)
    shop = Workshop(tmp_path)
    shop.distributions = tmp_path / "looprig.whl", tmp_path / "looprig.tar.gz"
    newest, older = (Environment(name, ("test", "checkers"), lenient=name == "newest") for name in ("newest", "older"))
    assert shop.prepare(newest)
    assert shop.conclude() == 0
    assert "newest is without looprig[uvloop]: pip could not install them there" in capsys.readouterr().out
    assert not shop.prepare(older)
    assert shop.conclude() == 1


def test_a_failed_step_is_told_and_the_closing_line_comes_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    closing = "===== 3 passed, 1 skipped in 0.25s ====="
    passes = python(f"print('{closing}'); print('later')")
    fails = python("raise SystemExit(3)")
    assert shop.run(Step("suite", ENVIRONMENT, passes, closes=True))
    assert not shop.run(Step("gate", ENVIRONMENT, fails))
    assert shop.conclude() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == closing
    assert lines[-2].endswith("failed: gate")


def test_a_program_that_is_not_there_is_a_failed_step(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    assert not shop.run(Step("lost", ENVIRONMENT, "no-such-program"))
    assert shop.conclude() == 1


def test_a_step_that_takes_too_long_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "STEP_LIMIT", 0.2)
    shop = Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    hangs = python("import time; time.sleep(60)")
    assert not shop.run(Step("hangs", ENVIRONMENT, hangs))


def test_a_brief_preparation_shows_only_what_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shop = Workshop(tmp_path, brief=True)
    shop.hushed = True
    assert shop.execute("good", (sys.executable, "-c", "print('noise')"))
    assert capfd.readouterr().out == ""
    assert not shop.execute("bad", (sys.executable, "-c", "print('why'); raise SystemExit(1)"))
    assert re.fullmatch(r"-- bad -+\nwhy\n   FAILED in .* s\n", capfd.readouterr().out)


def test_an_environment_that_fails_is_shown_although_its_preparation_is_brief(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = Workshop(tmp_path / ".venvs", brief=True)
    assert not shop.run(Step("look", Environment("broken", (), python=str(tmp_path / "none"), source="folder"), "true"))
    shown = capfd.readouterr().out
    assert "-- packages, in .venvs/broken" in shown
    assert f"cannot run {tmp_path / 'none'}" in shown
    assert not shop.hushed


def test_what_an_example_tests_is_shown_by_file(tmp_path: Path) -> None:
    suite = """
        import pytest
        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_adds_a_note(number):
            assert number != 2
        def test_reads_it(): ...
        @pytest.mark.skip
        def test_sleeps(): ...
        @pytest.fixture
        def broken(): raise OSError
        def test_sets_up(broken): ...
    """
    (tmp_path / "test_notes.py").write_text(dedent(suite))
    results = tmp_path / "results.xml"
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={results}")
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert [*examples.tested(results)] == [
        "test_notes.py: 3 passed, 2 failed, 1 skipped",
        "    adds a note (3 cases, 1 failed), reads it, sleeps (1 skipped), sets up (1 failed)",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "PYTHON_GIL",
        "PYTHONPATH",
        "PIP_TARGET",
        "PYTEST_ADDOPTS",
        "PYTEST_X",
    ],
)
def test_a_shell_cannot_change_what_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    shop = Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    command = python(f"import os; raise SystemExit({name!r} in os.environ)")
    assert shop.run(Step("look", ENVIRONMENT, command))


def test_a_setting_of_where_pip_looks_stays_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://mirror.test/simple")
    shop = Workshop(tmp_path, ready={ENVIRONMENT.name: True})
    command = python("import os; raise SystemExit('PIP_INDEX_URL' not in os.environ)")
    assert shop.run(Step("look", ENVIRONMENT, command))


def test_a_script_that_only_looks_like_a_python_is_passed_over(tmp_path: Path) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert not pythons.is_python(str(shim), "3.12")
    assert pythons.is_python(sys.executable, ".".join(map(str, sys.version_info[:2])))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"])
def test_a_starter_that_ignores_a_signal_does_not_hand_that_down(tmp_path: Path, name: str) -> None:
    """As with `nohup` and background jobs. In this process the signal stays ignored."""
    number = signal.Signals[name]
    before = signal.signal(number, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        shop = Workshop(tmp_path, ready={ENVIRONMENT.name: True})
        look = shlex.join(("sh", "-c", f"kill -{name[3:]} $$; exit 0"))
        assert not shop.run(Step("look", ENVIRONMENT, look)), "the signal was ignored"
        assert signal.getsignal(number) is signal.SIG_IGN
        assert number in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(number, before)
