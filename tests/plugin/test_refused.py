"""A test that can't run as declared fails at set-up; it stops no other, and is reported once."""

from textwrap import dedent
from typing import Final
from xml.etree import ElementTree as ET

import pytest

import looprig.pytest_plugin
from tests.plugin.suite import OPTIONS, output, run, run_apart

SUITE: Final = """
    from dataclasses import dataclass
    import pytest
    from looprig import service_fixture

    ran = []

    @service_fixture
    @dataclass
    class Db:
        dsn: str
        async def start(self): ...
        async def stop(self): ...

    @pytest.fixture(scope="session", autouse=True)
    def first():
        ran.append("first")

    @pytest.mark.parametrize("number", range(3))
    async def test_refused(db, number): ...

    async def test_other():
        assert ran == ["first"]

    @pytest.mark.skip
    async def test_skipped(db): ...

    class TestSetUp:
        async def setup_method(self): ...

        def test_method(self): ...
"""
SUMMARY: Final = """\
Db.dsn has no value: there is no fixture 'dsn', no service of its type, and no default.
  test_it.py:8: Db
  test_it.py:19: test_refused[0]
Add a fixture 'dsn', give the field a default, or annotate it with a service.
(3 tests)

TestSetUp.setup_method is async: pytest calls it and never awaits it.
  test_it.py:29: TestSetUp.setup_method
Make it a fixture: @pytest.fixture(scope="function", autouse=True), with a yield between set-up and teardown.
(1 test)
"""


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n2")], ids=["alone", "xdist"])
def test_what_is_wrong_stops_no_other_test_and_is_reported_once(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    result = run_apart(pytester, SUITE, *options)
    result.assert_outcomes(passed=1, errors=4, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert all(text in output(result) for text in SUMMARY.split("\n\n"))
    assert "looprig: 2 errors in 4 tests" in output(result)
    assert "Traceback" not in output(result)


def test_a_test_is_refused_before_any_of_its_fixtures_is_set_up(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest
        from looprig import TestClient

        @pytest.fixture(scope="session", autouse=True)
        def wide():
            print("a fixture was set up")

        async def test_it(client: TestClient): ...
        """,
        "-s",
    )
    result.assert_outcomes(errors=1)
    assert "a fixture was set up" not in output(result)


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_a_refused_test_ends_a_run_that_ends_at_the_first_error(pytester: pytest.Pytester, option: str) -> None:
    result = run(pytester, SUITE, option)
    result.assert_outcomes(errors=1)
    assert "looprig: 1 error in 1 test" in output(result)


def test_refused_tests_are_among_the_last_failed(pytester: pytest.Pytester) -> None:
    options = [option for option in OPTIONS if option not in {"-p", "no:cacheprovider", looprig.pytest_plugin.__name__}]
    options += ["-p", looprig.pytest_plugin.__name__]
    pytester.makepyfile(test_it=dedent(SUITE))
    pytester.runpytest_subprocess(*options).assert_outcomes(errors=4, passed=1, skipped=1)
    pytester.runpytest_subprocess(*options, "--lf").assert_outcomes(errors=4)


def test_the_whole_error_is_in_a_junit_file(pytester: pytest.Pytester) -> None:
    run(pytester, SUITE, "--junitxml=report.xml")
    cases = ET.parse(pytester.path / "report.xml").getroot().iter("testcase")  # noqa: S314 - pytest's own
    by_name = {case.get("name"): case for case in cases}
    found = by_name["test_refused[1]"].find("properties/property[@name='looprig']")
    assert found is not None
    assert "Add a fixture 'dsn'" in str(found.get("value"))
    assert by_name["test_other"].find("properties") is None


def test_collecting_shows_the_collection_and_nothing_else(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE, "--collect-only", "-q")
    assert result.ret == pytest.ExitCode.OK
    assert "dsn" not in output(result)


def test_errors_are_shown_below_the_plan(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE, "--explain-loops", "--collect-only", "-q")
    assert result.ret == pytest.ExitCode.OK
    assert "Db.dsn has no value" in output(result)
    assert "setup_method is async" in output(result)


@pytest.mark.parametrize("suite", ["-k other", "test_it.py::test_other"])
def test_a_test_that_is_not_selected_is_not_judged(pytester: pytest.Pytester, suite: str) -> None:
    result = run(pytester, SUITE, *suite.split())
    assert result.ret == pytest.ExitCode.OK
    assert "dsn" not in output(result)


def test_a_declaration_that_concerns_no_test_is_no_error(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        from dataclasses import dataclass
        import pytest
        from looprig import service_fixture

        @service_fixture
        @dataclass
        class Itself:
            itself: "Itself"
            async def start(self): ...
            async def stop(self): ...

        async def test_it(): ...

        class TestOverridden:
            @pytest.fixture
            def itself(self): return 1

            def test_it(self, itself):
                assert itself == 1
        """,
    )
    result.assert_outcomes(passed=2)


def test_an_autouse_service_that_is_wrong_concerns_every_test_that_would_use_it(pytester: pytest.Pytester) -> None:
    files = {
        "a/conftest.py": """
            from dataclasses import dataclass
            from looprig import service_fixture

            @service_fixture(autouse=True)
            @dataclass
            class Itself:
                itself: "Itself"
                async def start(self): ...
                async def stop(self): ...
            """,
        "a/test_a.py": "def test_one(): ...\nasync def test_two(): ...\n",
        "test_b.py": "def test_b(): ...\n",
    }
    result = run(pytester, files)
    result.assert_outcomes(errors=2, passed=1)
    assert "looprig: 1 error in 2 tests" in output(result)


def test_tests_of_another_loop_run_beside_a_contradiction(pytester: pytest.Pytester) -> None:
    module = """
        import asyncio
        import pytest
        from looprig import loop_config

        loops = loop_config(factory=asyncio.{})

        async def test_shared(shared): ...

        async def test_own(): ...
        """
    files = {
        "conftest.py": "import pytest\n@pytest.fixture(scope='session')\nasync def shared(): ...\n",
        "test_a.py": module.format("SelectorEventLoop"),
        "test_b.py": module.format("new_event_loop"),
    }
    result = run(pytester, files)
    result.assert_outcomes(errors=2, passed=2)
    assert "looprig: 1 error in 2 tests" in output(result)


class TestWithNothingOfLooprig:
    """pytest's own report of a missing fixture is kept."""

    def test_a_test_that_never_gets_as_far_is_not_judged(self, pytester: pytest.Pytester) -> None:
        files = {
            "conftest.py": """
                import pytest

                @pytest.hookimpl(tryfirst=True)
                def pytest_runtest_setup(item):
                    item.funcargs["injected"] = 5
                    if item.name == "test_skipped":
                        pytest.skip("by a hook")
                """,
            "test_it.py": """
                def test_deselected(absent): ...
                def test_skipped(absent): ...
                def test_injected(injected):
                    assert injected == 5
                """,
        }
        result = run(pytester, files, "--deselect", "test_it.py::test_deselected")
        result.assert_outcomes(passed=1, skipped=1, deselected=1)
        assert result.ret == pytest.ExitCode.OK

    def test_pytest_reports_a_missing_fixture_and_looprig_a_hint(self, pytester: pytest.Pytester) -> None:
        result = run(
            pytester,
            """
            import pytest

            @pytest.fixture
            def database(): ...

            @pytest.mark.parametrize("number", range(3))
            def test_typo(databse, number): ...

            def test_absent(nothing_like_it): ...

            def test_other(): ...
            """,
        )
        result.assert_outcomes(errors=4, passed=1)
        text = output(result)
        assert text.count("fixture 'databse' not found") == 3
        assert text.count("Did you mean 'database'?") == 1
        assert "looprig: 1 error in 3 tests" in text
        assert "there is no such fixture" in text
        assert "Add a fixture" not in text

    def test_pytest_reports_a_fixture_that_ends_too_soon(self, pytester: pytest.Pytester) -> None:
        result = run(
            pytester,
            """
            import pytest

            @pytest.fixture
            def narrow(): ...

            @pytest.fixture(scope="session")
            def wide(narrow): ...

            def test_wide(wide): ...

            def test_other(): ...
            """,
        )
        result.assert_outcomes(errors=1, passed=1)
        assert "ScopeMismatch" in output(result)
        assert "looprig:" not in output(result)


def test_an_argument_that_a_hook_gives_needs_no_fixture(pytester: pytest.Pytester) -> None:
    """Although its annotation looks like a service."""
    files = {
        "conftest.py": "def pytest_runtest_setup(item):\n    item.funcargs['client'] = 5\n",
        "test_it.py": """
            from looprig import TestClient

            async def test_it(client: TestClient):
                assert client == 5
            """,
    }
    run(pytester, files).assert_outcomes(passed=1)


def test_a_unittest_method_can_be_refused(pytester: pytest.Pytester) -> None:
    """Its teardown by pytest must not fail as well."""
    result = run(
        pytester,
        """
        import unittest
        from dataclasses import dataclass
        import pytest
        from looprig import service_fixture

        @service_fixture
        @dataclass
        class Db:
            dsn: str
            async def start(self): ...
            async def stop(self): ...

        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def uses(self, db): ...

            def test_it(self): ...
        """,
    )
    result.assert_outcomes(errors=1)


def test_properties_of_any_form_disturb_nothing(pytester: pytest.Pytester) -> None:
    """Suites put what they like there, and every run is looked through for what looprig put there."""
    result = run_apart(
        pytester,
        """
        import pytest

        @pytest.fixture
        def odd(request):
            request.node.user_properties += ["text", 3, {"a": 1}, ("one", "two", "three")]
            raise LookupError

        def test_it(odd): ...
        """,
    )
    result.assert_outcomes(errors=1)
    assert "INTERNALERROR" not in output(result)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_report_of_a_test_is_its_error_alone(pytester: pytest.Pytester) -> None:
    """Pytest would add that all lines of the traceback are hidden: those of looprig."""
    result = run(pytester, SUITE)
    assert "Db.dsn has no value" in output(result)
    assert "traceback" not in output(result).lower()
