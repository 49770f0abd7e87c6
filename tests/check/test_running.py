"""How `--check-fixtures` runs: which checker it uses, what it leaves behind, how it ends."""

import gc
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from looprig.check.checkers import ty
from looprig.check.run import choose
from looprig.exceptions import ExtraMissingError
from tests.plugin.suite import KEEPING, OPTIONS

ROOT = Path(__file__).resolve().parents[2]
WRONG = """
import pytest

@pytest.fixture
def number() -> int:
    return 1

def test_it(number: str) -> None:
    raise AssertionError("no test is run")
"""
RIGHT = WRONG.replace("number: str", "number: int")


def put(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).removeprefix("\n"), "utf-8")


def not_there(_: str) -> None:
    """Pretend that a program isn't installed."""


def test_a_finding_ends_the_run_with_1_and_none_with_0(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": WRONG})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            'test_it.py:7:13: test "test_it" declares "number: str" but fixture "number" (test_it.py:3) provides "int"'
            "  [[]fixture-type[]]",
            "1 finding in 1 file: 1 edge checked with ty.",
        ]
    )
    put(pytester.path, {"test_it.py": RIGHT})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["No finding: 1 edge checked with ty."])


def test_mypy_tells_the_same_from_its_cache(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": WRONG})
    own = (*KEEPING, "-o", "cache_dir=.pytest_cache")
    runs = [pytester.runpytest_subprocess(*own, "--check-fixtures=mypy") for _ in range(2)]
    told = [[line for line in run.stdout.lines if "[fixture-" in line] for run in runs]
    assert len(told[0]) == 1
    assert told[0] == told[1]
    assert (pytester.path / ".pytest_cache" / "d" / "looprig-fixtures" / "mypy").is_dir()


def test_nothing_is_written_in_the_project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    project = pytester.path / "project"
    put(project, {"test_it.py": WRONG, "mypy.ini": "[mypy]\nstrict = True\n"})
    before = sorted(project.rglob("*"))
    for checker in ("mypy", "pyright", "ty", "pyrefly"):
        result = pytester.runpytest_subprocess(*OPTIONS, "--rootdir=project", "project", f"--check-fixtures={checker}")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert sorted(project.rglob("*")) == before


def test_the_configured_checker_is_the_default(tmp_path: Path) -> None:
    assert choose(None, tmp_path).name == "mypy"
    put(tmp_path, {"pyproject.toml": "[tool.ty]\n"})
    assert choose(None, tmp_path).name == "ty"
    put(tmp_path, {"pyproject.toml": "[tool.pyrefly]\n"})
    assert choose(None, tmp_path).name == "pyrefly"
    put(tmp_path, {"pyrightconfig.json": "{}"})
    assert choose(None, tmp_path).name == "pyright"
    put(tmp_path, {"setup.cfg": "[mypy]\n"})
    assert choose(None, tmp_path).name == "mypy"
    assert choose("ty", tmp_path).name == "ty"


def test_the_extra_is_named_where_no_checker_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mypy", "pyright", "ty", "pyrefly"):
        monkeypatch.setattr(f"looprig.check.checkers.{name}.program", not_there)
    with pytest.raises(ExtraMissingError, match=r"looprig\[check\]"):
        choose(None, tmp_path)


def test_a_checker_that_is_not_installed_is_told(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ty, "program", not_there)
    put(pytester.path, {"test_it.py": WRONG})
    result = pytester.runpytest_inprocess(*KEEPING, "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --check-fixtures=ty: ty is not installed.", "pip install ty"])


def test_a_checker_that_cannot_run_is_no_success(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": WRONG, "mypy.ini": "[mypy]\nplugins = no_such_plugin\n"})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*mypy ended with status 2 and did not check the fixtures. It said:*", "*no_such_plugin*"]
    )


@pytest.mark.parametrize(
    ("name", "text", "checker"),
    [
        ("mypy.ini", "[mypy]\nignore_errors = True\n", "mypy"),
        ("pyrightconfig.json", "{'nonsense", "pyright"),
        ("ty.toml", "nonsense", "ty"),
        ("pyrefly.toml", "nonsense", "pyrefly"),
    ],
)
def test_a_checker_that_lets_everything_pass_is_no_success(
    pytester: pytest.Pytester, name: str, text: str, checker: str
) -> None:
    put(pytester.path, {"test_it.py": RIGHT, name: text})
    result = pytester.runpytest_subprocess(*KEEPING, f"--check-fixtures={checker}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{checker} ended with status * and did not check the fixtures.*"])


def test_rules_that_a_project_turns_off_are_on_for_the_check(pytester: pytest.Pytester) -> None:
    rules = 'invalid-return-type = "ignore"\ninvalid-explicit-return = "warn"'
    put(pytester.path, {"test_it.py": WRONG, "ty.toml": f"[rules]\n{rules}\n"})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures")
    result.stdout.fnmatch_lines(["1 finding in 1 file: 1 edge checked with ty."])


def test_reports_that_a_project_has_mypy_write_are_not_written(pytester: pytest.Pytester) -> None:
    config = "[mypy]\njunit_xml = junit.xml\nlinecount_report = counts\nno_such_option = 1\n"
    put(pytester.path, {"test_it.py": WRONG, "mypy.ini": config})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures")
    result.stdout.fnmatch_lines(["1 finding in 1 file: 1 edge checked with mypy.", "mypy said: *no_such_option*"])
    assert not (pytester.path / "junit.xml").exists()
    assert not (pytester.path / "counts").exists()


def test_many_wrong_values_of_one_parameter_are_one_finding(pytester: pytest.Pytester) -> None:
    suite = """
    import pytest

    @pytest.mark.parametrize("number", [1, "a", "b", "c"])
    def test_it(number: int) -> None: ...

    @pytest.mark.parametrize("nothing", [])
    def test_none(nothing: int) -> None: ...

    @pytest.fixture
    def doubled(number: str) -> None: ...

    @pytest.mark.parametrize("number", [1])
    def test_by_a_fixture(doubled: None) -> None: ...
    """
    put(pytester.path, {"test_it.py": suite})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    result.stdout.fnmatch_lines(
        [
            'test_it.py:4:13: *declares "number: int" but its parametrization passes "\'a\'" (and 2 more)  *',
            'test_it.py:10:13: *"number: str" but the parametrization of test "test_by_a_fixture" passes "1"  *',
            "2 findings in 1 file: *",
        ]
    )


def test_a_name_that_is_missing_is_told_once_where_it_is_written(pytester: pytest.Pytester) -> None:
    suite = "import pytest\npytestmark = pytest.mark.usefixtures('nope')\ndef test_a(): ...\ndef test_b(): ...\n"
    put(pytester.path, {"test_it.py": suite})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    result.stdout.fnmatch_lines(
        ["test_it.py:2:38: test_a uses 'nope', *  [[]fixture-missing[]]", "1 finding in 1 file:*"]
    )


def test_a_path_behind_the_option_is_told_to_stand_before_it(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": WRONG})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures", "test_it.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*'test_it.py' isn't a type checker: give mypy, pyright, ty, pyrefly. Put paths before*"]
    )


def test_the_hook_for_pre_commit_runs_the_check(pytester: pytest.Pytester) -> None:
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    (entry,) = re.findall(r"^  entry: pytest (.*)$", hooks, re.MULTILINE)
    put(pytester.path, {"test_it.py": WRONG, "ty.toml": ""})
    result = pytester.runpytest_subprocess(*KEEPING, *shlex.split(entry))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["1 finding in 1 file: 1 edge checked with ty."])


def test_one_look_at_a_time(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": WRONG})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty", "--reveal-fixtures")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--check-fixtures and --reveal-fixtures were given: use one at a time.*"])


def test_a_process_that_goes_on_keeps_its_garbage_collection(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": RIGHT})
    frozen = gc.get_freeze_count()
    assert pytester.runpytest_inprocess(*KEEPING, "--reveal-fixtures").ret == 0
    assert gc.get_freeze_count() == frozen
    assert gc.isenabled()


def test_workers_of_xdist_are_not_started(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": WRONG})
    result = pytester.runpytest_subprocess(*KEEPING, "-p", "xdist", "-n", "2", "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["1 finding in 1 file: 1 edge checked with ty."])


def test_untyped_fixtures_are_counted_and_told_when_asked(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": RIGHT.replace(" -> int", "")})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["No finding: 0 edges checked with ty.", "1 edge not checked: no return annotation."])
    result = pytester.runpytest_subprocess(*KEEPING, "-v", "--check-fixtures=ty", "--check-untyped")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            'test_it.py:4:1: fixture "number" has no return annotation  [[]fixture-untyped[]]',
            "test_it.py:7:13: number not checked: no return annotation",
        ]
    )


def test_a_document_has_standard_output_to_itself(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": WRONG})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty", "--check-format=sarif")
    (run,) = json.loads(result.stdout.str())["runs"]
    assert [each["ruleId"] for each in run["results"]] == ["fixture-type"]
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty", "--check-format=github")
    assert result.stdout.str().startswith("::error file=test_it.py,line=7,col=13,title=fixture-type::test ")


def test_the_suites_own_stubs_go_first(pytester: pytest.Pytester) -> None:
    put(
        pytester.path,
        {
            "plugin.py": "import pytest\n@pytest.fixture\ndef given(): return 1\n",
            "conftest.py": 'pytest_plugins = ["plugin"]\n',
            "typings/plugin.pyi": "from decimal import Decimal\ndef given() -> Decimal: ...\n",
            "test_it.py": "def test_it(given: int) -> None: ...\n",
        },
    )
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty", "-o", "fixture_stubs=typings")
    result.stdout.fnmatch_lines(['*declares "given: int" but fixture "given" (plugin.py:2) provides "Decimal"*'])


WITHOUT_LIBCST = "import sys\nsys.modules['libcst'] = None\n"


def test_only_what_is_annotated_needs_libcst(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"test_it.py": WRONG, "without_libcst.py": WITHOUT_LIBCST})
    without = (*KEEPING, "-p", "without_libcst")
    result = pytester.runpytest_subprocess(*without, "--check-fixtures=ty")
    result.stdout.fnmatch_lines(["1 finding in 1 file: 1 edge checked with ty."])
    result = pytester.runpytest_subprocess(*without, "--annotate-fixtures")
    assert "--annotate-fixtures needs libcst, which is not installed." in result.stderr.str()
    assert "pip install 'looprig[check]'" in result.stderr.str()
