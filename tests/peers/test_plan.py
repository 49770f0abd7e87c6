"""The loop plan tells of what looprig runs, and of nothing else."""

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
    )
    result.assert_outcomes(passed=2)
    assert any(line.strip().startswith(name) for line in result.outlines) is (name == "test_ours")
