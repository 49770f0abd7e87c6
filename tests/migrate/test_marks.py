"""Marks of pytest-asyncio and anyio: dropped where looprig needs none, with the imports that only they needed."""

from textwrap import dedent

import pytest

from tests.migrate.suites import after, left


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param(
            """
            import pytest


            @pytest.mark.asyncio
            async def test_it():
                assert True
            """,
            """
            async def test_it():
                assert True
            """,
            id="on a test, and the import it needed",
        ),
        pytest.param(
            """
            import asyncio

            import pytest
            from pytest import mark

            pytestmark = pytest.mark.asyncio()


            @mark.asyncio
            @mark.parametrize("x", [1])
            async def test_it(x):
                assert await asyncio.sleep(0, x)
            """,
            """
            import asyncio

            from pytest import mark


            @mark.parametrize("x", [1])
            async def test_it(x):
                assert await asyncio.sleep(0, x)
            """,
            id="of a file, and by another name",
        ),
        pytest.param(
            """
            import pytest

            pytestmark = [pytest.mark.slow, pytest.mark.asyncio]


            @pytest.mark.asyncio
            class TestIt:
                pytestmark = [pytest.mark.asyncio]

                async def test_it(self): ...
            """,
            """
            import pytest

            pytestmark = [pytest.mark.slow]


            class TestIt:
                async def test_it(self): ...
            """,
            id="in lists, and on classes",
        ),
        pytest.param(
            """
            import pytest

            # Reads the clock.

            # All coroutines are marked.
            pytestmark = pytest.mark.asyncio


            # A test.
            @pytest.mark.asyncio  # once
            # of two
            async def test_it():
                "pytest.mark.asyncio"
                assert pytest
            """,
            """
            import pytest


            # Reads the clock.

            # A test.
            # once
            # of two
            async def test_it():
                "pytest.mark.asyncio"
                assert pytest
            """,
            id="but no comments of other things, and no strings",
        ),
        pytest.param(
            """
            import pytest


            class TestIt:
                pytestmark = pytest.mark.asyncio
            """,
            """
            class TestIt:
                pass
            """,
            id="that are all of a class",
        ),
    ],
)
def test_needless_marks_go(before: str, expected: str) -> None:
    assert after(before).strip() == dedent(expected).strip()


FIXTURE = """
import pytest

@pytest.fixture(scope="module")
async def wide(): ...

@pytest.fixture
def behind(wide): ...
"""


def test_a_loop_scope_that_a_fixture_explains_goes() -> None:
    text = """
    import pytest

    @pytest.mark.asyncio(loop_scope="module")
    async def test_it(behind): ...
    """
    assert after(text, conftest=FIXTURE).strip() == "async def test_it(behind): ..."


@pytest.mark.parametrize("option", ["loop_scope", "scope"])
def test_one_that_none_explains_stays_as_looprigs(option: str) -> None:
    """Tests may share a loop through a global variable."""
    text = f"""
    import pytest

    pytestmark = pytest.mark.asyncio({option}="module")


    async def test_it(): ...
    """
    expected = 'from looprig import loop_config\n\nloop_config(scope="module")\n\n\nasync def test_it(): ...\n'
    assert after(text, conftest=FIXTURE).strip() == expected.strip()


def test_a_mark_that_says_more_stays_and_is_listed() -> None:
    text = """
    import pytest

    @pytest.mark.asyncio(loop_factories=["uvloop"])
    async def test_it(): ...
    """
    assert after(text) == dedent(text)
    assert left(text) == ["4:2: the mark has arguments, or is in a place where only you can tell its purpose"]


def test_marks_that_a_hook_adds_are_listed() -> None:
    text = """
    import pytest
    from pytest_asyncio import is_async_test

    def pytest_collection_modifyitems(items):
        for item in items:
            if is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"))
    """
    assert after(text, "conftest.py") == dedent(text)
    found = left(text, "conftest.py")
    assert [each.partition(": ")[0] for each in found] == ["3:1", "8:29"]
    assert "looprig needs no mark" in found[0]
    assert "pytest_collection_modifyitems adds a mark" in found[1]


ASYNCIO = """
import pytest

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"
"""
MARKED = """
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def connected(anyio_backend):
    yield 1


async def test_it(connected): ...
"""


def test_anyios_marks_go_where_all_tests_run_on_asyncio() -> None:
    expected = """
    import pytest


    @pytest.fixture
    async def connected():
        yield 1


    async def test_it(connected): ...
    """
    assert after(MARKED, conftest=ASYNCIO).strip() == dedent(expected).strip()
    assert after(ASYNCIO, "conftest.py", test_it=MARKED).strip() == ""


@pytest.mark.parametrize(
    "conftest",
    [
        pytest.param("", id="no backend: all of anyio's"),
        pytest.param(ASYNCIO.replace('"asyncio"', '"trio"'), id="trio"),
        pytest.param(ASYNCIO.replace('"asyncio"', '("asyncio", {"use_uvloop": True})'), id="options"),
        pytest.param(ASYNCIO.replace('scope="session"', 'params=["asyncio", "trio"]'), id="several"),
        pytest.param(
            ASYNCIO + '\n@pytest.mark.parametrize("anyio_backend", ["trio"])\nasync def test_trio(): ...\n',
            id="one test on trio",
        ),
    ],
)
def test_and_stay_everywhere_if_one_does_not(conftest: str) -> None:
    assert after(MARKED, conftest=conftest) == MARKED
    assert [each.partition(": ")[0] for each in left(MARKED, conftest=conftest)] == ["4:14"]


def test_a_parametrization_over_asyncio_alone_goes() -> None:
    text = """
    import pytest

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_it(): ...
    """
    assert after(text).strip() == "async def test_it(): ..."


def test_a_backend_that_a_test_looks_at_stays() -> None:
    text = 'def test_it(anyio_backend):\n    assert anyio_backend == "asyncio"\n'
    assert after(text, conftest=ASYNCIO) == text
    assert after(ASYNCIO, "conftest.py", test_it=text) == ASYNCIO
