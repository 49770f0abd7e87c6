"""`--reveal-fixtures` shows what is known about each fixture."""

import pytest

from tests.check.test_running import put
from tests.plugin.suite import KEEPING

SUITE = {
    "services.py": """
        from dataclasses import dataclass
        from looprig import service_fixture

        class Life:
            async def start(self) -> None: ...
            async def stop(self) -> None: ...

        @service_fixture(scope="session")
        class Db(Life): ...

        @service_fixture(scope="module")
        @dataclass
        class Rest(Life):
            db: Db
        """,
    "test_it.py": """
        from collections.abc import AsyncIterator
        import pytest
        from services import Rest

        @pytest.fixture
        async def user(rest: Rest) -> AsyncIterator[str]:
            yield "x"

        @pytest.fixture
        def plain(): ...

        @pytest.fixture
        def unused() -> int: ...

        async def test_it(user, plain): ...
        async def test_rest(rest): ...
        """,
}


def revealed(pytester: pytest.Pytester, *options: str) -> str:
    put(pytester.path, SUITE)
    result = pytester.runpytest_subprocess(*KEEPING, *options)
    assert result.ret == pytest.ExitCode.OK, result.stderr.str()
    return result.stdout.str()


def test_each_fixture_that_is_used_is_told(pytester: pytest.Pytester) -> None:
    text = revealed(pytester, "--reveal-fixtures")
    _, _, text = text.partition(" fixtures ===")
    assert text.partition("\n")[2].rpartition("\n=")[0].splitlines() == [
        "db: Db",
        "  scope    session",
        "  loop     the session loop on the session",
        "  defined  services.py:8",
        '  used by  fixture "rest"',
        "plain: unknown (no return annotation)",
        "  scope    function",
        "  loop     none",
        "  defined  test_it.py:9",
        "  used by  test_it.py::test_it",
        "rest: Rest",
        "  scope    module",
        "  loop     the session loop on the session",
        "  defined  services.py:11",
        '  used by  fixture "user", test_it.py::test_rest',
        "user: str",
        "  scope    function",
        "  loop     the loop of the test",
        "  defined  test_it.py:5",
        "  used by  test_it.py::test_it",
    ]


def test_one_is_told_by_its_name_though_nobody_uses_it(pytester: pytest.Pytester) -> None:
    text = revealed(pytester, "--reveal-fixtures=unused")
    assert "unused: int\n  scope    function\n  loop     none\n  defined  test_it.py:12\n  used by  nobody\n" in text
    assert "rest:" not in text


def test_a_name_that_is_none_is_an_error(pytester: pytest.Pytester) -> None:
    put(pytester.path, SUITE)
    result = pytester.runpytest_subprocess(*KEEPING, "--reveal-fixtures=nobody")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --reveal-fixtures=nobody: there is no fixture of that name."])


def test_what_is_wrong_in_the_suite_does_not_keep_it_from_looking(pytester: pytest.Pytester) -> None:
    put(pytester.path, SUITE | {"test_wrong.py": "def test_wrong(nothing): ...\n"})
    result = pytester.runpytest_subprocess(*KEEPING, "--reveal-fixtures=rest")
    result.stdout.fnmatch_lines(["rest: Rest", "1 declaration is wrong: pytest --check-fixtures shows where."])


def test_a_service_is_known_by_each_of_its_names(pytester: pytest.Pytester) -> None:
    suite = "from services import Db\nasync def test_one(other: Db): ...\nasync def test_two(db: Db): ...\n"
    put(pytester.path, {"services.py": SUITE["services.py"], "test_it.py": suite})
    for name in ("db", "other"):
        result = pytester.runpytest_subprocess(*KEEPING, f"--reveal-fixtures={name}")
        result.stdout.fnmatch_lines(["db: Db", "  used by  test_it.py::test_one, test_it.py::test_two"])
