"""The limit of one test does not decide what becomes of a fixture that other tests use too."""

import pytest

from tests.plugin.suite import output, run


def test_where_one_test_is_in_a_hurry_the_others_get_the_wide_fixture(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        begun = []

        @pytest.fixture(scope="module")
        async def late():
            begun.append(1)
            await asyncio.sleep(0.2)
            yield

        @pytest.mark.loop_timeout(0.05)
        async def test_in_a_hurry(late): ...

        async def test_other(late):
            assert begun == [1, 1]
        """,
    )
    result.assert_outcomes(errors=1, passed=1)


def test_a_limit_of_all_tests_keeps_the_failure_of_a_wide_fixture(pytester: pytest.Pytester) -> None:
    """A run in which the database hangs ends soon."""
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        begun = []

        @pytest.fixture(scope="module")
        async def late():
            begun.append(1)
            await asyncio.sleep(3600)

        async def test_one(late): ...
        async def test_two(late): ...
        def test_three():
            assert begun == [1]
        """,
        "--loop-timeout=0.05",
    )
    result.assert_outcomes(errors=2, passed=1)


@pytest.mark.parametrize("start", ["", "raise ValueError"])
def test_a_test_in_a_hurry_waits_for_a_wide_service_as_long_as_that_may_take(
    pytester: pytest.Pytester, start: str
) -> None:
    """Its own fixtures have all of the test's limit afterwards."""
    result = run(
        pytester,
        f"""
        import asyncio
        import pytest
        from looprig import service_fixture, timeout

        @service_fixture(scope="session")
        class Database:
            async def start(self) -> None:
                await asyncio.sleep(0.2)
                {start}

            async def stop(self) -> None: ...

        @pytest.fixture
        async def quick(database):
            await asyncio.sleep(0.05)

        @timeout(0.1)
        async def test_in_a_hurry(database, quick): ...

        @timeout(0.1)
        async def test_late(database, quick):
            await asyncio.sleep(3600)
        """,
    )
    result.assert_outcomes(**({"errors": 2} if start else {"passed": 1, "failed": 1}))


def test_after_a_wide_service_its_own_fixtures_are_limited(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest
        from looprig import service_fixture, timeout

        @service_fixture(scope="session")
        class Database:
            async def start(self) -> None: ...
            async def stop(self) -> None: ...

        @pytest.fixture
        async def hangs(database):
            await asyncio.sleep(2)

        @timeout(0.1)
        async def test_in_a_hurry(database, hangs): ...
        """,
    )
    result.assert_outcomes(errors=1)
    assert "The set-up of test_in_a_hurry took longer than 0.1 s, in the set-up of fixture hangs." in output(result)
