"""Each test is on the loop of every async fixture that it reaches, however it reaches it."""

import pytest

from tests.plugin.suite import run

SAME_LOOP = """
import asyncio
import pytest

def here():
    return asyncio.get_running_loop()
"""


def test_needs_no_marker_and_no_configuration(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        async def number():
            await asyncio.sleep(0)
            yield 41

        async def test_awaits(number):
            await asyncio.sleep(0)
            assert number + 1 == 42

        async def test_can_fail(number):
            await asyncio.sleep(0)
            assert number == 42
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*assert 41 == 42*"])


def test_an_async_fixture_behind_a_sync_one_counts(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
@pytest.fixture(scope="module")
async def wide():
    return here()

@pytest.fixture(scope="module")
def between(wide):
    return wide

@pytest.fixture
def near(between):
    return between

async def test_one(near):
    assert near is here()

async def test_two(near):
    assert near is here()
""",
    ).assert_outcomes(passed=2)


def test_a_sync_fixture_carries_the_async_one_it_found_in_another_package(pytester: pytest.Pytester) -> None:
    """Pytest keeps one instance of `shared`, created with the `base` that its first test saw."""
    files = {
        "conftest.py": """
            import asyncio
            import pytest

            @pytest.fixture(scope="session")
            def base():
                return None

            @pytest.fixture(scope="session")
            def shared(base):
                return base
            """,
        "a/conftest.py": """
            import asyncio
            import pytest

            @pytest.fixture(scope="session")
            async def base():
                return asyncio.get_running_loop()
            """,
        "a/test_a.py": """
            import asyncio

            async def test_a(shared):
                assert shared is asyncio.get_running_loop()
            """,
        "test_z.py": """
            import asyncio

            async def test_z(shared):
                assert shared is asyncio.get_running_loop()
            """,
    }
    run(pytester, files, "a", "test_z.py").assert_outcomes(passed=2)


def test_two_fixtures_joined_by_one_test_share_a_loop_with_all_their_tests(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
@pytest.fixture(scope="module")
async def module():
    return here()

@pytest.fixture(scope="session")
async def session():
    return here()

async def test_only_module(module):
    assert module is here()

async def test_both(module, session):
    assert module is session is here()

async def test_only_session(session):
    assert session is here()
""",
    ).assert_outcomes(passed=3)


def test_fixtures_that_no_test_joins_have_loops_of_their_own(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
seen = []

@pytest.fixture(scope="module")
async def one():
    return here()

@pytest.fixture(scope="module")
async def other():
    return here()

async def test_one(one):
    assert one is here()
    seen.append(one)

async def test_other(other):
    assert other is here()
    seen.append(other)

async def test_neither():
    assert here() not in seen
    assert seen[0] is not seen[1]
    assert not any(loop.is_closed() for loop in seen)
""",
    ).assert_outcomes(passed=3)


def test_a_test_with_no_wider_fixture_has_a_loop_of_its_own_that_is_closed_after_it(
    pytester: pytest.Pytester,
) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
seen = []

@pytest.fixture
async def narrow():
    yield here()

@pytest.mark.parametrize("number", range(3))
async def test_it(narrow, number):
    assert narrow is here()
    assert here() not in seen
    assert all(loop.is_closed() for loop in seen)
    seen.append(here())
""",
    ).assert_outcomes(passed=3)


def test_a_nested_class_shares_the_loop_of_the_class_around_it(pytester: pytest.Pytester) -> None:
    """Pytest gives its tests the outer class's instance while that is alive, so both must be on one loop."""
    run(
        pytester,
        SAME_LOOP
        + """
@pytest.fixture(scope="class")
async def of_class():
    yield here()

class TestOuter:
    async def test_outer(self, of_class):
        assert of_class is here()

    class TestInner:
        async def test_inner(self, of_class):
            assert of_class is here()

        class TestInnermost:
            async def test_innermost(self, of_class):
                assert of_class is here()

    async def test_last(self, of_class):
        assert of_class is here()
""",
    ).assert_outcomes(passed=4)


def test_a_class_scoped_fixture_without_a_class(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
seen = []

@pytest.fixture(scope="class")
async def of_class():
    yield here()
    seen.append("down")

async def test_one(of_class):
    assert of_class is here()

async def test_two(of_class):
    assert of_class is here()
    assert seen == ["down"]
""",
    ).assert_outcomes(passed=2)


def test_methods_static_methods_and_class_methods(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
class TestMethods:
    @pytest.fixture
    async def mine(self):
        self.seen = "fixture"
        yield here()

    @pytest.fixture(scope="class")
    @classmethod
    async def of_class(cls):
        cls.marked = True
        yield here()

    @pytest.fixture
    @staticmethod
    async def of_none():
        return here()

    async def test_method(self, mine, of_class, of_none):
        assert self.seen == "fixture"
        assert self.marked
        assert mine is of_class is of_none is here()

    @staticmethod
    async def test_static(of_class):
        assert of_class is here()

    @classmethod
    async def test_class(cls, of_class):
        assert cls.marked
        assert of_class is here()
""",
    ).assert_outcomes(passed=3)
