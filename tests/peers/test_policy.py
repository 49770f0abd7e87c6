"""pytest-asyncio has a fixture `event_loop_policy` too, which it uses for all of its tests."""

import pytest

from tests.plugin.suite import output, run_apart

ASYNCIO = ("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")
SUITE = """
    import asyncio
    import pytest

    @pytest.mark.asyncio
    async def test_theirs():
        pass

    async def test_ours():
        pass
"""


@pytest.mark.parametrize("first", ["looprig", "pytest-asyncio"])
def test_theirs_is_not_overridden_whichever_is_loaded_first(pytester: pytest.Pytester, first: str) -> None:
    """Overriding it causes a warning, and here every warning is an error."""
    pytest.importorskip("pytest_asyncio")
    # pytester's own -p come before those of `run_apart`.
    pytester.plugins = ["pytest_asyncio.plugin"] if first == "pytest-asyncio" else []
    options = ASYNCIO[2:] if pytester.plugins else ASYNCIO
    run_apart(pytester, SUITE, *options).assert_outcomes(passed=2)


def test_a_suites_own_one_gives_the_loops_of_both(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_asyncio")
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest

        class Loop(asyncio.SelectorEventLoop):
            pass

        class Policy(asyncio.DefaultEventLoopPolicy):
            _loop_factory = Loop

        @pytest.fixture(scope="session")
        def event_loop_policy():
            return Policy()

        @pytest.mark.asyncio
        async def test_theirs():
            assert type(asyncio.get_running_loop()) is Loop

        async def test_ours():
            assert type(asyncio.get_running_loop()) is Loop
        """,
        *ASYNCIO,
        "-Wdefault",  # pytest-asyncio recommends its hook instead
    )
    result.assert_outcomes(passed=2, warnings=result.parseoutcomes().get("warnings", 0))
    assert "attached to a different loop" not in output(result)
