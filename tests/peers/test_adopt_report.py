"""`--adopt-report` shows what was adopted, what is needless now, and which loop mismatches are gone."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

import pytest

from tests.peers.test_adoption import POLICY
from tests.peers.test_owners import beside
from tests.plugin.suite import output, run_apart

SUITE: Final = {
    "pytest.ini": """
        [pytest]
        asyncio_mode = auto
        asyncio_default_fixture_loop_scope = function
    """,
    "conftest.py": """
        import asyncio
        import pytest
        import pytest_asyncio
        from pytest_asyncio import fixture as made

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def db():
            yield 1

        @made
        async def cursor(db):
            yield 2

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.name == "test_three":
                    item.add_marker(pytest.mark.asyncio)

        @pytest.fixture(scope="session")
        def event_loop_policy():
            return asyncio.DefaultEventLoopPolicy()
    """,
    "test_one.py": """
        import pytest

        pytestmark = [pytest.mark.asyncio(loop_scope="module")]

        async def test_one(cursor): ...

        @pytest.mark.asyncio
        @pytest.mark.asyncio
        async def test_two(cursor): ...
    """,
    "folder/test_three.py": "async def test_three(db): ...\n",
}
WHOLE: Final = """\
pytest-asyncio: looprig ran 3 tests and 2 async fixtures in its place.
Needless now: 9 declarations in 3 files
  conftest.py:7: pytest_asyncio.fixture with loop_scope
  conftest.py:11: pytest_asyncio.fixture
  conftest.py:18: pytest.mark.asyncio
  conftest.py:20: event_loop_policy (loop_factory says the same)
  pytest.ini:3: asyncio_mode
  pytest.ini:4: asyncio_default_fixture_loop_scope
  test_one.py:4: pytest.mark.asyncio with loop_scope
  test_one.py:8: pytest.mark.asyncio
  test_one.py:9: pytest.mark.asyncio
Loop mismatches that no longer exist: 3
  conftest.py:7: db ran on a session loop, its tests on function loops (2 tests)
  conftest.py:7: db ran on a session loop, its tests on module loops (1 test)
  conftest.py:11: cursor ran on a function loop, its tests on module loops (1 test)
"""
BY_FILE: Final = """\
Needless now: 9 declarations in 3 files
  conftest.py:7: pytest_asyncio.fixture with loop_scope, pytest_asyncio.fixture, pytest.mark.asyncio, \
event_loop_policy (loop_factory says the same)
  pytest.ini:3: asyncio_mode, asyncio_default_fixture_loop_scope
  test_one.py:4: pytest.mark.asyncio with loop_scope, 2 x pytest.mark.asyncio
"""


def options(*more: str) -> tuple[str, ...]:
    # It warns where its policy is overridden.
    quiet = "-Wignore::pytest.PytestDeprecationWarning"
    return (*beside("asyncio")[:2], *POLICY, quiet, "--adopt-report", *more)


@pytest.mark.parametrize("workers", [False, True], ids=["one process", "workers"])
def test_each_place_is_shown_if_the_run_is_verbose(pytester: pytest.Pytester, *, workers: bool) -> None:
    if workers and find_spec("xdist") is None:
        pytest.skip("needs pytest-xdist")
    more = ("-p", "xdist", "-n2") if workers else ()
    result = run_apart(pytester, SUITE, *options("--adopt", "-v", *more))
    result.assert_outcomes(passed=3)
    assert output(result).count(WHOLE) == 1


def test_places_are_grouped_by_file(pytester: pytest.Pytester) -> None:
    result = run_apart(pytester, SUITE, *options("--adopt"))
    assert BY_FILE in output(result)
    assert "Run with -v for each line." in output(result)


def test_what_tests_need_that_are_not_adopted_is_not_needless(pytester: pytest.Pytester) -> None:
    suite = {**SUITE, "test_one.py": "import looprig\nlooprig.loop_config(adopt=True)\n\nasync def test_one(): ...\n"}
    suite["folder/test_three.py"] = "import pytest\n\n@pytest.mark.asyncio\nasync def test_three(): ...\n"
    result = run_apart(pytester, suite, *options())
    result.assert_outcomes(passed=2)
    assert "pytest-asyncio: looprig ran 1 test and 0 async fixtures in its place." in output(result)
    assert "Needless" not in output(result)


BACKENDS: Final[Mapping[str, str]] = {
    "test_one.py": """
        import pytest

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        async def test_it(): ...
    """,
    "test_two.py": """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_it(): ...
    """,
    "test_kept.py": """
        import pytest

        @pytest.mark.anyio
        async def test_it(): ...

        @pytest.fixture
        def anyio_backend():
            return "asyncio", {"debug": True}
    """,
    "test_trio.py": """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
        async def test_it(): ...
    """,
}


def test_a_backend_is_needless_if_it_is_only_asyncio(pytester: pytest.Pytester) -> None:
    pytest.importorskip("trio")
    result = run_apart(pytester, BACKENDS, "--adopt", "--adopt-report", "-v", *beside("anyio"))
    assert (
        "Needless now: 5 declarations in 3 files\n"
        "  test_kept.py:4: pytest.mark.anyio\n"
        "  test_one.py:4: pytest.mark.anyio\n"
        "  test_one.py:6: the fixture anyio_backend\n"
        "  test_two.py:4: pytest.mark.anyio\n"
        "  test_two.py:5: the parametrization of anyio_backend\n" in output(result)
    )


@pytest.mark.parametrize("suite", ["def test_it(): ...", "async def test_it(): ..."])
def test_a_run_in_which_nothing_was_adopted_says_so(pytester: pytest.Pytester, suite: str) -> None:
    result = run_apart(pytester, suite, "--adopt", "--adopt-report")
    result.assert_outcomes(passed=1)
    assert "Nothing was adopted: no selected test belongs to another plugin." in output(result)
