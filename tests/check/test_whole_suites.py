"""What `--check-fixtures` says of a whole suite: what was not checked, how often, and the exit status."""

import pytest

from tests.check.test_running import RIGHT, WRONG, put
from tests.plugin.suite import KEEPING


@pytest.mark.parametrize(
    ("suite", "status", "says"),
    [
        (WRONG, pytest.ExitCode.TESTS_FAILED, "1 finding in 1 file: 1 edge checked with ty."),
        (RIGHT, pytest.ExitCode.INTERRUPTED, "No finding: 1 edge checked with ty."),
    ],
)
def test_what_cannot_be_collected_stops_nothing_and_is_told(
    pytester: pytest.Pytester, suite: str, status: pytest.ExitCode, says: str
) -> None:
    put(pytester.path, {"test_it.py": suite, "test_broken.py": "import no_such_module"})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    assert result.ret == status
    result.stdout.fnmatch_lines(
        ["*ERROR collecting test_broken.py*", says, "test_broken.py could not be collected, and is not checked."]
    )


def test_a_plugin_that_fails_a_run_without_tests_does_not_change_the_status(pytester: pytest.Pytester) -> None:
    """As pytest-cov and syrupy do, in the hooks that they use and in the last one that there is."""
    put(
        pytester.path,
        {
            "conftest.py": """
                import pytest
                @pytest.hookimpl(wrapper=True)
                def pytest_runtestloop(session):
                    result = yield
                    session.testsfailed += 1
                    return result
                @pytest.hookimpl(wrapper=True, tryfirst=True)
                def pytest_sessionfinish(session):
                    result = yield
                    session.exitstatus = 1
                    return result
            """,
            "test_it.py": RIGHT,
        },
    )
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.OK
    put(
        pytester.path, {"conftest.py": "def pytest_sessionfinish(session): session.exitstatus = 0", "test_it.py": WRONG}
    )
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_mypy_installs_nothing_whatever_its_configuration_says(pytester: pytest.Pytester) -> None:
    settings = "[mypy]\ninstall_types = true\nnon_interactive = true\npretty = true\nverbosity = 0\n"
    put(pytester.path, {"test_it.py": WRONG, "mypy.ini": settings})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=mypy")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["1 finding in 1 file: 1 edge checked with mypy."])


def test_parameters_without_annotation_are_counted(pytester: pytest.Pytester) -> None:
    suite = """
        import pytest
        @pytest.fixture
        def one(tmp_path) -> int: return 1
        @pytest.fixture
        def unused(one, request) -> int: return 1
        @pytest.mark.parametrize("size", [1, 2])
        def test_it(one, size, tmp_path: object): ...
        @pytest.mark.usefixtures("one")
        def test_used(): ...
    """
    put(pytester.path, {"test_it.py": suite})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    result.stdout.fnmatch_lines(
        ["No finding: 1 edge checked with ty; 5 parameters have no annotation: --annotate-fixtures helps."]
    )


def test_a_conftest_that_was_not_selected_and_cannot_be_read_is_told(pytester: pytest.Pytester) -> None:
    put(
        pytester.path,
        {
            "pytest.ini": "[pytest]\nnorecursedirs = out\n",
            "a/test_it.py": RIGHT,
            "b/conftest.py": "import no_such_module\n",
            "c/deep/conftest.py": "import pytest\n@pytest.fixture\ndef wrong(tmp_path: int) -> None: ...\n",
            "c/conftest.py": "collect_ignore = ['ignored']\n",
            "c/ignored/conftest.py": "import no_such_module\n",
            "out/conftest.py": "import no_such_module\n",
        },
    )
    result = pytester.runpytest_subprocess(*KEEPING, "a", "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            'c/deep/conftest.py:3:11: fixture "wrong" declares "tmp_path: int" but *',
            "1 finding in 1 file: 2 edges checked with ty.",
            "b/conftest.py is not checked: ModuleNotFoundError: No module named 'no_such_module'",
        ]
    )
    assert result.stdout.str().count("is not checked") == 1


def test_one_cause_is_one_finding_with_a_count(pytester: pytest.Pytester) -> None:
    tests = "".join(f"def test_{number}(number: str, gone: Nowhere) -> None: ...\n" for number in range(6))
    fixtures = "@pytest.fixture\ndef number() -> int: return 1\n@pytest.fixture\ndef gone() -> int: return 1\n"
    suite = f"from __future__ import annotations\nimport pytest\n{fixtures}{tests}"
    put(pytester.path, {"test_it.py": suite})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    result.stdout.fnmatch_lines(
        [
            'test_it.py:7:12: *provides "int" (and 5 more: test_it.py:8, test_it.py:9, test_it.py:10, ...)  *',
            'test_it.py:7:25: *"Nowhere" cannot be resolved (and 5 more: test_it.py:8, *',
            "2 findings in 1 file: 6 edges checked with ty.",
        ]
    )


def test_a_name_that_the_configuration_skips_is_told_as_such(pytester: pytest.Pytester) -> None:
    settings = "[mypy]\n[mypy-pytest,_pytest.*]\nfollow_imports = skip\n"
    suite = "import pytest\ndef test_a(monkeypatch: pytest.MonkeyPatch) -> None: ...\n"
    put(pytester.path, {"test_it.py": suite, "mypy.ini": settings})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=mypy")
    result.stdout.fnmatch_lines(['*takes "pytest.MonkeyPatch" for Any, *configuration skips*[[]fixture-unchecked[]]'])


def test_two_classes_of_one_name_are_told_apart(pytester: pytest.Pytester) -> None:
    conftest = """
        import pytest, base
        class Config(base.Config): ...
        @pytest.fixture
        def made(config: list[Config]) -> None: ...
        class TestBeside: ...
    """
    inner = "import pytest\nclass Config: ...\n@pytest.fixture\ndef other() -> Config: return Config()\n"
    suite = """
        import pytest
        from base import Config
        @pytest.fixture
        def config() -> Config: return Config()
        def test_it(made: None, other: Config) -> None: ...
        class Inner:
            class Config: ...
        @pytest.mark.parametrize("value", [Inner.Config(), Inner.Config])
        def test_values(value: Config) -> None: ...
    """
    put(pytester.path, {"base.py": "class Config: ...", "conftest.py": conftest, "a/conftest.py": inner})
    put(pytester.path, {"a/test_it.py": suite, "pytest.ini": "[pytest]\npythonpath = .\n"})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=mypy")
    result.stdout.fnmatch_lines(
        [
            'a/test_it.py:5:25: *"other: base.Config" *provides "conftest.Config"*',
            'a/test_it.py:9:17: *"value: Config" but its parametrization passes "Inner.Config" (and 1 more)*',
            'conftest.py:4:10: *"config: list[[]conftest.Config[]]" *provides "base.Config"*',
        ]
    )


@pytest.mark.parametrize("form", ["any", "callable", "Union", "Optional", "Literal", "TypeAlias", "Final"])
def test_what_is_no_type_is_told(pytester: pytest.Pytester, form: str) -> None:
    suite = f"""
        import pytest
        from typing import *
        @pytest.mark.parametrize("value", [int])
        def test_it(value: "{form}") -> None: ...
    """
    put(pytester.path, {"test_it.py": suite})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    result.stdout.fnmatch_lines([f"*: {form} isn't a type  [[]fixture-unchecked[]]"])
