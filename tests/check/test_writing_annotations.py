"""`--annotate-fixtures=write` leaves a suite that passes as before, annotated as far as that is certain."""

from textwrap import dedent

import pytest

from tests.check.test_annotating import text_of
from tests.check.test_running import put
from tests.plugin.suite import KEEPING


def rewritten(pytester: pytest.Pytester, suite: dict[str, str], name: str = "") -> str:
    """Write a suite's annotations, and return what a file then says. The suite passes, and all is written."""
    put(pytester.path, suite)
    pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures=write")
    text = text_of(pytester.path / (name or next(reversed(suite))))
    assert pytester.runpytest_subprocess(*KEEPING).ret == pytest.ExitCode.OK
    again = pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures=write")
    again.stdout.fnmatch_lines(["Annotated 0 parameters in 0 files."])
    return text


CIRCLE = {
    "suite/__init__.py": "",
    "suite/conftest.py": """
        import pytest
        from suite import helpers

        class TestServer:
            port = 1

        @pytest.fixture
        def server():
            server = TestServer()
            return server
        """,
    "suite/helpers.py": "",
}


def test_what_only_checkers_need_is_imported_for_them_alone(pytester: pytest.Pytester) -> None:
    """An import at run time could make a circle, or give pytest a class that it takes for a test."""
    text = rewritten(
        pytester,
        CIRCLE | {"suite/test_it.py": "import re\n\n\ndef test_it(server):\n    assert re and server.port == 1\n"},
        "suite/test_it.py",
    )
    assert text == dedent("""\
        import re
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from suite.conftest import TestServer


        def test_it(server: "TestServer") -> None:
            assert re and server.port == 1
        """)


QUOTED = {
    '"""Text."""\nfrom __future__ import annotations\n': "TestServer",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import re\n": '"TestServer"',
    "import typing\nif typing.TYPE_CHECKING:\n    from suite.conftest import TestServer\n": '"TestServer"',
    "from suite.helpers import *\n": '"TestServer"',
}


def test_an_annotation_is_quoted_where_python_would_evaluate_it(pytester: pytest.Pytester) -> None:
    tests = {f"suite/test_{number}.py": f"{head}def test_it(server): ...\n" for number, head in enumerate(QUOTED)}
    rewritten(pytester, CIRCLE | tests)
    for name, annotation in zip(tests, QUOTED.values(), strict=True):
        text = text_of(pytester.path / name)
        assert f"def test_it(server: {annotation}) -> None: ..." in text
        assert text.count("TYPE_CHECKING:") == 1
        assert text.count("import TestServer") == 1


def test_a_name_that_means_something_else_is_left(pytester: pytest.Pytester) -> None:
    heads = (
        "from suite.helpers import *\n",
        "TestServer = 3\n",
        "try:\n    from re import X as TestServer\nexcept Exception: ...\n",
    )
    tests = {f"suite/test_{number}.py": f"{head}def test_it(server): ...\n" for number, head in enumerate(heads)}
    rewritten(pytester, CIRCLE | {"suite/helpers.py": "TestServer = 3\n"} | tests)
    for name, text in tests.items():
        assert text_of(pytester.path / name) == text


def test_what_is_defined_further_down_is_quoted(pytester: pytest.Pytester) -> None:
    text = rewritten(
        pytester,
        {
            "test_it.py": """
                import pytest

                def test_it(late): ...

                @pytest.fixture
                def late() -> "Late":
                    return Late()

                class Late: ...

                def test_then(late): ...
                """
        },
    )
    assert 'def test_it(late: "Late") -> None: ...' in text
    assert "def test_then(late: Late) -> None: ..." in text


FIXTURES = """
    import pytest
    import asyncio
    from pathlib import Path

    class Db:
        @classmethod
        def of(cls): ...

    def make() -> "dict[str, int]": return {}
    def make_untyped(): return {}

    @pytest.fixture
    def db():
        db = Db()
        yield db

    @pytest.fixture
    async def loud():
        yield "text"

    @pytest.fixture
    def folder(tmp_path: Path):
        return tmp_path / "a"

    @pytest.fixture
    def made():
        return make()

    @pytest.fixture
    def again(made):
        return made

    @pytest.fixture
    def silent():
        yield

    @pytest.fixture
    def unsure(): return make_untyped()

    @pytest.fixture
    def either():
        if Db: return 1
        return "one"

    @pytest.fixture
    def perhaps():
        if not Db:
            return 1

    @pytest.fixture
    def other(): return Db.of()

    @pytest.fixture
    def given_elsewhere():
        raise NotImplementedError

    @pytest.fixture
    def listed(): return []

    @pytest.fixture
    def shadowed(Path=str): return Path()
    """


def test_what_fixtures_return_is_written_where_it_is_certain(pytester: pytest.Pytester) -> None:
    names = "db, loud, folder, made, again, silent, unsure, either, perhaps, other, listed, shadowed"
    suite = {"conftest.py": FIXTURES, "test_it.py": f"def test_it({names}):\n    pass\n"}
    text = rewritten(pytester, suite, "conftest.py")
    for line in (
        "def db() -> Iterator[Db]:",
        "async def loud() -> AsyncIterator[str]:",
        "def folder(tmp_path: Path) -> Path:",
        "def made() -> dict[str, int]:",
        "def again(made: dict[str, int]) -> dict[str, int]:",
        "def silent() -> Iterator[None]:",
        "def unsure(): return",
        "def either():",
        "def perhaps():",
        "def other(): return",
        "def listed(): return",
        "def shadowed(Path=str): return",
    ):
        assert line in text.splitlines() or line in text, line
    # `Db` is defined in a conftest that cannot be imported, so the parameter `db` is left.
    assert text_of(pytester.path / "test_it.py") == dedent("""\
        from pathlib import Path

        def test_it(
            db,
            loud: str,
            folder: Path,
            made: dict[str, int],
            again: dict[str, int],
            silent: None,
            unsure,
            either,
            perhaps,
            other,
            listed,
            shadowed,
        ) -> None:
            pass
        """)


def test_a_parameter_that_fixtures_of_several_types_answer_is_left(pytester: pytest.Pytester) -> None:
    suite = {
        "test_it.py": """
            import pytest

            @pytest.fixture
            def size() -> int: return 1

            @pytest.fixture
            def double(size) -> int: return 2 * size

            def test_it(double): ...

            class TestIt:
                @pytest.fixture
                def size(self) -> str: return "1"
                def test_it(self, double): ...
            """
    }
    text = rewritten(pytester, suite)
    assert "def double(size) -> int" in text
    assert text.count("double: int") == 2


def test_signatures_are_as_wide_as_the_projects_formatter_makes_them(pytester: pytest.Pytester) -> None:
    suite = {
        "pyproject.toml": "[tool.ruff]\nline-length = 61\n",
        "test_it.py": "class TestIt:\n    def test_it(self, tmp_path, monkeypatch): ...\n",
    }
    assert rewritten(pytester, suite).endswith(
        dedent("""\
        class TestIt:
            def test_it(
                self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
            ) -> None: ...
        """)
    )


def test_a_function_is_not_annotated_in_part_where_mypy_forbids_it(pytester: pytest.Pytester) -> None:
    suite = {
        "mypy.ini": "[mypy]\ndisallow_incomplete_defs = True\n",
        "test_it.py": """
            def test_part(tmp_path, both=3): ...
            def test_whole(tmp_path): ...
            class TestIt:
                def test_method(self, tmp_path): ...
            """,
    }
    text = rewritten(pytester, suite)
    assert "def test_part(tmp_path, both=3): ..." in text
    assert "def test_whole(tmp_path: Path) -> None: ..." in text
    assert "def test_method(self, tmp_path: Path) -> None: ..." in text


def test_files_are_put_back_if_pytest_collects_something_else(pytester: pytest.Pytester) -> None:
    """Here a conftest looks at the annotations of tests, and at run time."""
    conftest = """
        import pytest

        @pytest.fixture
        def db() -> int: return 1

        def pytest_collection_modifyitems(items):
            for item in items:
                assert not item.function.__annotations__ or "fine" in item.name
        """
    suite = {
        "pytest.ini": "[pytest]\nstrict_config = true\ncache_dir = kept\n",
        "conftest.py": conftest,
        "test_fine.py": "def test_fine(db): ...\n",
        "test_it.py": "def test_it(db): ...\n",
    }
    put(pytester.path, suite)
    result = pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures=write")
    result.stdout.fnmatch_lines(["test_it.py:1:13: db is left: pytest would collect something else"])
    assert text_of(pytester.path / "test_it.py") == "def test_it(db): ...\n"
    assert text_of(pytester.path / "test_fine.py") == "def test_fine(db: int) -> None: ...\n"


def test_a_function_in_which_a_checker_would_find_more_is_left(pytester: pytest.Pytester) -> None:
    suite = {
        "test_it.py": """
            def test_wrong(tmp_path): return tmp_path.nothing

            def test_right(tmp_path):
                def inner(): ...
                assert tmp_path
            """
    }
    put(pytester.path, suite)
    result = pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures=write")
    result.stdout.fnmatch_lines(
        [
            "test_it.py:1:16: tmp_path is left: * would find more errors",
            "Annotated 1 parameter and 1 return type in 1 file.",
        ]
    )
    assert "def test_wrong(tmp_path): return" in text_of(pytester.path / "test_it.py")
    assert "def test_right(tmp_path: Path) -> None:" in text_of(pytester.path / "test_it.py")


@pytest.mark.parametrize(
    ("lists", "is_left"),
    [
        ("[dependency-groups]\ndev = [{ include-group = 'x' }, 'PyRight[nodejs]>=1.1']\nx = []\n", True),
        ("[project]\nname = 'x'\nversion = '1'\n[project.optional-dependencies]\ndev = ['pyright']\n", True),
        ("[dependency-groups]\ndev = ['pyright-stubs', 'x-pyright', 'pyright.x']\n", False),
        ("[dependency-groups]\ndev = 'pyright'\nother = 3\n", False),
    ],
)
def test_a_checker_that_the_project_requires_has_a_say(pytester: pytest.Pytester, lists: str, is_left: bool) -> None:
    suite = {
        "pyproject.toml": f"[tool.mypy]\nignore_errors = true\n{lists}",
        "test_it.py": "def test_it(tmp_path): return tmp_path.nothing\n",
    }
    put(pytester.path, suite)
    result = pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures=write")
    left = ["test_it.py:1:13: tmp_path is left: pyright would find more errors"] if is_left else []
    result.stdout.fnmatch_lines([*left, f"Annotated {0 if is_left else 1} parameter*"])


@pytest.mark.parametrize("first", ["api: TestClient[Shop], shop", "shop"])
def test_a_class_of_a_service_that_has_a_client_is_known(pytester: pytest.Pytester, first: str) -> None:
    suite = {
        "services.py": """
            from looprig import AsgiService, service_fixture

            @service_fixture
            class Shop(AsgiService):
                async def create_app(self): ...
            """,
        "test_it.py": f"from looprig import TestClient\nfrom services import Shop\nasync def test_it({first}): ...\n",
    }
    put(pytester.path, suite)
    result = pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures")
    result.stdout.fnmatch_lines([f"+async def test_it({first}: Shop) -> None: ..."])


def test_a_return_type_that_is_not_certain_is_named_as_the_reason(pytester: pytest.Pytester) -> None:
    suite = {
        "mypy.ini": "[mypy]\nstrict = True\n",
        "test_it.py": """
            import pytest
            @pytest.fixture
            def number() -> int: return 1
            @pytest.fixture
            def tea(number): return __import__("os").environ
            def test_it(tea: object) -> None: ...
            """,
    }
    put(pytester.path, suite)
    result = pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures")
    result.stdout.fnmatch_lines(["*: number is left: what the function returns isn't certain, and mypy's *"])


def test_a_parameter_that_cannot_be_annotated_is_the_reason_for_the_others(pytester: pytest.Pytester) -> None:
    suite = {
        "mypy.ini": "[mypy]\nstrict = True\n",
        "test_it.py": """
            import pytest
            @pytest.fixture
            def number() -> int: return 1
            @pytest.fixture
            def untyped(): return __import__("os").environ
            def test_it(number, untyped): ...
            """,
    }
    put(pytester.path, suite)
    result = pytester.runpytest_subprocess(*KEEPING, "--annotate-fixtures")
    result.stdout.fnmatch_lines(["*: number is left: other parameters can't be annotated, and mypy's *"])
