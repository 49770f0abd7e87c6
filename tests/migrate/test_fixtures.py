"""Fixtures of pytest-asyncio become pytest's, and other plugins' ports looprig's."""

from textwrap import dedent

import pytest

from tests.migrate.suites import after, left


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param(
            """
            import pytest_asyncio


            @pytest_asyncio.fixture
            async def one(): ...


            @pytest_asyncio.fixture(loop_scope="session")
            async def two(): ...


            @pytest_asyncio.fixture(loop_scope="session", scope="module", params=[1], ids=str)
            async def three(): ...


            @pytest_asyncio.fixture(
                name="five",
                autouse=True,
                loop_scope="session",
            )
            async def four(): ...
            """,
            """
            import pytest


            @pytest.fixture
            async def one(): ...


            @pytest.fixture
            async def two(): ...


            @pytest.fixture(scope="module", params=[1], ids=str)
            async def three(): ...


            @pytest.fixture(
                name="five",
                autouse=True,
            )
            async def four(): ...
            """,
            id="with all other arguments",
        ),
        pytest.param(
            """
            from pytest_asyncio import fixture as async_fixture


            @async_fixture(loop_scope="module")
            async def one(): ...
            """,
            """
            from pytest import fixture as async_fixture


            @async_fixture
            async def one(): ...
            """,
            id="imported by name",
        ),
        pytest.param(
            """
            import pytest, pytest_asyncio


            @pytest_asyncio.fixture()
            async def one(): ...
            """,
            """
            import pytest


            @pytest.fixture()
            async def one(): ...
            """,
            id="imported with pytest",
        ),
        pytest.param(
            """
            import pytest as pt
            import pytest_asyncio as pa

            made = pa.fixture(scope="module")(print)
            other = pt
            """,
            """
            import pytest as pt

            made = pt.fixture(scope="module")(print)
            other = pt
            """,
            id="under other names, and called by hand",
        ),
    ],
)
def test_fixtures_are_pytests(before: str, expected: str) -> None:
    assert after(before) == dedent(expected)


def test_what_else_pytest_asyncio_has_is_listed() -> None:
    text = """
    import pytest_asyncio

    class Mine(pytest_asyncio.plugin.Thing): ...
    """
    assert after(text) == dedent(text)
    assert left(text) == ["4:12: plugin.Thing is pytest-asyncio's; looprig has no such name"]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param('pytest_plugins = ("pytest_asyncio",)\nx = 1\n', "x = 1\n", id="alone"),
        pytest.param('pytest_plugins = "anyio"\nx = 1\n', "x = 1\n", id="without a list"),
        pytest.param('pytest_plugins = ["a", "pytest_asyncio"]\n', 'pytest_plugins = ["a"]\n', id="among others"),
        pytest.param('pytest_plugins = ("a", "pytest_asyncio")\n', 'pytest_plugins = ("a",)\n', id="in a pair"),
        pytest.param('pytest_plugins = ("anyio_like",)\n', 'pytest_plugins = ("anyio_like",)\n', id="or not at all"),
    ],
)
def test_plugins_that_a_suite_asks_for(before: str, expected: str) -> None:
    assert after(before, "conftest.py") == expected


def test_ports_are_looprigs() -> None:
    text = """
    async def test_it(unused_tcp_port: int, free_tcp_port_factory, other):
        serve(port=unused_tcp_port, unused_tcp_port=1)
        other.unused_tcp_port = free_tcp_port_factory()

        def inner():
            return unused_tcp_port  # unused_tcp_port


    def unused_tcp_port_helper(unused_tcp_port):
        return unused_tcp_port
    """
    expected = """
    async def test_it(unused_port: int, unused_port_factory, other):
        serve(port=unused_port, unused_tcp_port=1)
        other.unused_tcp_port = unused_port_factory()

        def inner():
            return unused_port  # unused_tcp_port


    def unused_tcp_port_helper(unused_tcp_port):
        return unused_tcp_port
    """
    assert after(text) == dedent(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "import pytest\n@pytest.fixture(scope='module')\ndef port(unused_tcp_port_factory): ...\n",
            "this fixture lives longer",
            id="a wider fixture",
        ),
        pytest.param(
            "def test_it(unused_tcp_port):\n    unused_port = 1\n",
            "has something else with the name",
            id="a taken name",
        ),
        pytest.param(
            "def test_it(unused_tcp_port, sock):\n    sock.bind(('', unused_tcp_port))\n", "SO_REUSEADDR", id="a socket"
        ),
        pytest.param("def test_it(free_udp_port): ...\n", "aiomisc_unused_port_factory", id="UDP"),
    ],
)
def test_ports_that_are_left_are_listed(text: str, reason: str) -> None:
    assert after(text) == text
    (found,) = left(text)
    assert reason in found


def test_a_fixture_of_the_suites_own_is_left() -> None:
    conftest = "import pytest\n@pytest.fixture\ndef unused_tcp_port(): ...\n"
    text = "def test_it(unused_tcp_port): ...\n"
    assert after(text, conftest=conftest) == text
    assert left(text, conftest=conftest) == []
