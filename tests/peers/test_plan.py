"""The loop plan shows only what looprig runs."""

import pytest

from tests.plugin.suite import run_apart

ASYNCIO = ("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.mark.parametrize("name", ["test_theirs", "test_ours"])
def test_what_is_marked_is_not_in_the_plan(pytester: pytest.Pytester, name: str) -> None:
    pytest.importorskip("pytest_asyncio")
    result = run_apart(
        pytester,
        """
        import pytest

        @pytest.mark.asyncio
        async def test_theirs():
            pass

        async def test_ours():
            pass
        """,
        *ASYNCIO,
        "--explain-loops",
        "-v",
    )
    result.assert_outcomes(passed=2)
    assert any(line.strip() == name for line in result.outlines) is (name == "test_ours")
    assert "1 test is run by pytest-asyncio" in result.outlines


def test_closures_of_one_shape_are_shared_beside_a_plugin_that_is_merely_installed(pytester: pytest.Pytester) -> None:
    pytest.importorskip("anyio")
    files = {
        "conftest.py": """
            from looprig.pytest_plugin._compat.closures import Closure

            looked = []

            def pytest_collection_finish(session):
                print(f"looked at {len(looked)} closures of {len(session.items)} tests")

            dependencies = Closure.dependencies

            def counted(closure):
                looked.append(closure)
                return dependencies(closure)

            Closure.dependencies = counted
            """,
        "test_it.py": "import pytest\n@pytest.fixture\nasync def one(): ...\n"
        + "".join(f"async def test_{number}(one): ...\n" for number in range(20)),
    }
    result = run_apart(pytester, files, "-p", "anyio", "-s")
    result.assert_outcomes(passed=20)
    result.stdout.fnmatch_lines(["*looked at 1 closures of 20 tests*"])
