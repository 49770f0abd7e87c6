"""`--annotate-fixtures` shows and writes missing annotations."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.check.test_running import put
from tests.plugin.suite import KEEPING

SUITE = {
    "services.py": """
        from looprig import service_fixture

        @service_fixture
        class Db:
            async def start(self) -> None: ...
            async def stop(self) -> None: ...
        """,
    "conftest.py": """
        from collections.abc import AsyncIterator, Iterator
        from decimal import Decimal
        import pathlib
        import pytest
        from services import Db

        class Here: ...

        @pytest.fixture
        def price() -> Iterator["Decimal | None"]:
            yield None

        @pytest.fixture
        async def path(price) -> AsyncIterator[pathlib.Path]:
            yield pathlib.Path()

        @pytest.fixture
        def here() -> Here:
            return Here()

        @pytest.fixture
        def untyped(): ...

        @pytest.fixture
        def both() -> list[Db]: ...
        """,
    "test_it.py": '''
        """Text."""
        from   services import   Db   # spaces stay

        class Decimal: ...

        def test_one(db, price, path,   # so do comments
                     here, request, caplog, untyped, tmp_path: "str", *, both = 3) -> None: ...

        class TestIn:
            async def test_two(self, db, path): ...
        ''',
}


def annotated(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    put(pytester.path, SUITE)
    return pytester.runpytest_subprocess(*KEEPING, *options)


def text_of(path: Path) -> str:
    return path.read_text("utf-8")


def test_it_is_shown_and_nothing_is_written(pytester: pytest.Pytester) -> None:
    result = annotated(pytester, "--annotate-fixtures")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "--- a/conftest.py",
            "-async def path(price) -> AsyncIterator[[]pathlib.Path[]]:",
            "+async def path(price: Decimal | None) -> AsyncIterator[[]pathlib.Path[]]:",
            "test_it.py:6:18: price is left: Decimal is something else in this file",
            "test_it.py:7:14: here is left: Here is defined in *conftest.py, which other modules can't import",
            "test_it.py:7:37: untyped is left: its fixture has no return annotation",
            "Would annotate 7 parameters and 1 return type in 2 files. To write it: pytest --annotate-fixtures=write",
        ]
    )
    for name, text in SUITE.items():
        assert text_of(pytester.path / name) == dedent(text).removeprefix("\n")


def test_it_is_written_and_all_else_stays_as_it_was(pytester: pytest.Pytester) -> None:
    result = annotated(pytester, "--annotate-fixtures=write")
    result.stdout.fnmatch_lines(["Annotated 7 parameters and 1 return type in 2 files."])
    assert text_of(pytester.path / "test_it.py") == dedent('''\
        """Text."""
        from   services import   Db   # spaces stay
        import pathlib
        import pytest

        class Decimal: ...

        def test_one(db: Db, price, path: pathlib.Path,   # so do comments
                     here, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, untyped, tmp_path: "str", *, both = 3) -> None: ...

        class TestIn:
            async def test_two(self, db: Db, path: pathlib.Path) -> None: ...
        ''')  # noqa: E501 - as it comes out
    again = pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures=write")
    again.stdout.fnmatch_lines(["Annotated 0 parameters in 0 files."])


def test_what_it_writes_is_right(pytester: pytest.Pytester) -> None:
    annotated(pytester, "--annotate-fixtures=write")
    text = text_of(pytester.path / "test_it.py").replace('tmp_path: "str", ', "")
    put(pytester.path, {"test_it.py": text})
    result = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=ty")
    result.stdout.fnmatch_lines(["No finding:*"])


def test_a_name_that_the_file_has_for_it_is_used(pytester: pytest.Pytester) -> None:
    put(
        pytester.path,
        {
            "services.py": SUITE["services.py"],
            "test_it.py": "from services import Db as Base\nimport pathlib as p\ndef test_it(db, tmp_path): ...\n",
        },
    )
    pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures=write")
    text = text_of(pytester.path / "test_it.py")
    assert "def test_it(db: Base, tmp_path: Path) -> None: ..." in text
    assert text.count("services") == 1


def test_line_ends_and_encodings_stay_as_they_were(pytester: pytest.Pytester) -> None:
    text = "# coding: latin-1\r\nNAME = '\xe9'\r\n\r\n\r\ndef test_it(pytestconfig):\r\n    assert NAME\r\n"
    path = pytester.path / "test_it.py"
    path.write_bytes(text.encode("latin-1"))
    pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures=write")
    written = path.read_bytes().decode("latin-1")
    assert "def test_it(pytestconfig: pytest.Config) -> None:\r\n" in written
    assert "NAME = '\xe9'\r\n" in written
    assert "\n" not in written.replace("\r\n", "")
