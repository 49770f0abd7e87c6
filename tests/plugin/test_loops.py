"""Each test is on the loop of every async fixture that it reaches, however it reaches it."""

import pytest

from tests.plugin.suite import output, run, run_apart

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
    """Pytest keeps one instance of `shared`, made with what its first test saw behind `base`."""
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


def test_autouse_and_usefixtures_count(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
seen = {}

@pytest.fixture(scope="module", autouse=True)
async def always():
    seen["always"] = here()

@pytest.fixture(scope="session")
async def named():
    seen["named"] = here()

@pytest.mark.usefixtures("named")
async def test_named():
    assert seen["named"] is seen["always"] is here()

async def test_unnamed():
    assert seen["always"] is here()
""",
    ).assert_outcomes(passed=2)


def test_an_override_that_asks_for_what_it_overrides(pytester: pytest.Pytester) -> None:
    files = {
        "conftest.py": SAME_LOOP
        + """
@pytest.fixture(scope="session")
async def base():
    yield [here()]
""",
        "test_it.py": SAME_LOOP
        + """
@pytest.fixture(scope="module")
async def base(base):
    yield [*base, here()]

async def test_it(base):
    assert base == [here(), here()]
""",
        "test_other.py": SAME_LOOP
        + """
async def test_other(base):
    assert base == [here()]
""",
    }
    run(pytester, files).assert_outcomes(passed=2)


def test_packages_and_nested_packages(pytester: pytest.Pytester) -> None:
    conftest = (
        SAME_LOOP
        + """
@pytest.fixture(scope="package")
async def of_{0}():
    yield here()
"""
    )
    files = {
        "outer/conftest.py": conftest.format("outer"),
        "outer/inner/conftest.py": conftest.format("inner"),
        "outer/test_outer.py": SAME_LOOP + "async def test_outer(of_outer):\n    assert of_outer is here()\n",
        "outer/inner/test_inner.py": SAME_LOOP
        + "async def test_inner(of_inner, of_outer):\n    assert of_inner is of_outer is here()\n",
        "outer/inner/test_innermost.py": SAME_LOOP
        + "async def test_innermost(of_inner):\n    assert of_inner is here()\n",
    }
    run(pytester, files).assert_outcomes(passed=3)


def test_a_parametrized_fixture_is_set_up_once_for_each_parameter(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
life = []

@pytest.fixture(scope="module", params=["a", "b"])
async def letter(request):
    life.append(f"up {request.param}")
    yield request.param, here()
    life.append(f"down {request.param}")

@pytest.fixture(scope="module")
async def word(letter):
    yield letter[0] * 3, here()

async def test_one(word, letter):
    assert word[0] == letter[0] * 3
    assert word[1] is letter[1] is here()

async def test_two(letter):
    assert letter[1] is here()

def test_last():
    assert life == ["up a", "down a", "up b"]
""",
    ).assert_outcomes(passed=5)


def test_a_parametrization_may_give_a_fixture_another_scope(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
life = []

@pytest.fixture
async def given(request):
    life.append(request.param)
    yield here()

@pytest.mark.parametrize("given", [1, 2], indirect=True, scope="module")
class TestIt:
    async def test_one(self, given):
        assert given is here()

    async def test_two(self, given):
        assert given is here()

def test_last():
    assert life == [1, 2]
""",
    ).assert_outcomes(passed=5)


def test_a_sync_test_may_use_async_fixtures(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
@pytest.fixture(scope="module")
async def wide():
    task = asyncio.create_task(asyncio.sleep(3600))
    yield task
    task.cancel()

@pytest.fixture
async def narrow(wide):
    return here()

def test_sync(wide, narrow):
    assert not wide.done()
    assert not narrow.is_closed()
    assert not narrow.is_running()

async def test_async(wide, narrow):
    assert narrow is here() is wide.get_loop()
""",
    ).assert_outcomes(passed=2)


def test_a_fixture_may_give_none(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import pytest

        count = []

        @pytest.fixture(scope="module")
        async def nothing():
            count.append(1)

        @pytest.fixture(scope="module")
        async def yields_nothing():
            count.append(1)
            yield

        async def test_one(nothing, yields_nothing):
            assert nothing is None
            assert yields_nothing is None

        async def test_two(nothing, yields_nothing):
            assert count == [1, 1]
        """,
    ).assert_outcomes(passed=2)


def test_asyncio_run_in_a_neighbour_harms_nobody(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        SAME_LOOP
        + """
@pytest.fixture(scope="module")
async def wide():
    yield here()

async def test_before(wide):
    assert wide is here()

def test_neighbour(wide):
    assert asyncio.run(asyncio.sleep(0, 1)) == 1
    assert not wide.is_closed()

async def test_after(wide):
    await asyncio.sleep(0)
    assert wide is here()
""",
    ).assert_outcomes(passed=3)


def test_a_suite_without_anything_async_gets_no_hooks(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        {
            "conftest.py": """
                import sys

                def pytest_unconfigure(config):
                    manager = config.pluginmanager
                    names = ("looprig.running", "looprig.setting_up")
                    print("registered:", [name for name in names if manager.has_plugin(name)])
                """,
            "test_it.py": """
                import pytest

                @pytest.fixture
                def number():
                    return 1

                def test_it(number):
                    assert number
                """,
        },
    )
    result.assert_outcomes(passed=1)
    assert "registered: []" in output(result)


def test_one_failing_async_test_says_where(pytester: pytest.Pytester) -> None:
    """No frame of looprig or asyncio stands between the test and the reader."""
    result = run(
        pytester,
        """
        import pytest

        @pytest.fixture
        async def broken():
            raise LookupError("in the fixture")

        async def test_it():
            raise LookupError("in the test")

        async def test_with_fixture(broken):
            pass
        """,
    )
    result.assert_outcomes(failed=1, errors=1)
    text = output(result)
    assert "looprig/runtime" not in text
    assert "asyncio/base_events" not in text
