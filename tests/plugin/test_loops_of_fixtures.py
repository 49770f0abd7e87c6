"""Fixtures of every kind determine a test's loop: autouse, overridden, parametrized, of packages, behind sync ones."""

import pytest

from tests.plugin.suite import output, run, run_apart

SAME_LOOP = """
import asyncio
import pytest

def here():
    return asyncio.get_running_loop()
"""


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
                    names = ("looprig.runner", "looprig.fixture_setup")
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
    """The traceback has no frame of looprig or asyncio between pytest and the test."""
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


def test_a_wide_instance_that_pytest_hands_to_a_narrow_parametrization_is_on_the_loop(
    pytester: pytest.Pytester,
) -> None:
    run(
        pytester,
        """
import asyncio
import pytest

@pytest.fixture(scope="session")
async def db(request):
    yield asyncio.get_running_loop()

@pytest.mark.parametrize("db", [1], indirect=True, scope="session")
async def test_wide(db):
    assert db is asyncio.get_running_loop()

@pytest.mark.parametrize("db", [1], indirect=True, scope="function")
async def test_narrow(db):
    assert db is asyncio.get_running_loop()

@pytest.mark.parametrize("db", [1, 2], indirect=True, scope="module")
async def test_module(db):
    assert db is asyncio.get_running_loop()
""",
    ).assert_outcomes(passed=4)
