"""What only an author can decide is listed, with its place and a way."""

import pytest

from tests.migrate.suites import after, left


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("import pytest\n@pytest.fixture\ndef event_loop(): ...\n", "3:1", "the fixture event_loop: delete it"),
        ("import pytest\n@pytest.fixture\ndef event_loop_policy(): ...\n", "3:1", "loop_factory"),
        ("def pytest_asyncio_loop_factories(): ...\n", "1:1", "loop_config(factories={...})"),
        ("def test_it(aiohttp_server): ...\n", "1:13", "declare an AiohttpService"),
        ("def test_it(aiohttp_raw_server): ...\n", "1:13", "write a service class"),
        ("def test_it(anyio_backend_name): ...\n", "1:13", "looprig runs only on asyncio"),
        ("def pytest_itemcollected(item):\n    item.add_marker('asyncio')\n", "2:5", "looprig needs no such mark"),
        ("import pytest\npytest.importorskip('pytest_asyncio')\n", "2:1", "looprig needs no such mark or plugin"),
        (
            "import pytest\nfrom aiomisc import Service\n@pytest.fixture\ndef services(): ...\n",
            "4:1",
            "its list is made at run time; it works as it is with looprig[aiomisc]",
        ),
        (
            "import pytest\nx = pytest.param(1, marks=pytest.mark.asyncio)\n",
            "2:27",
            "only you can tell",
        ),
    ],
)
def test_is_listed(text: str, place: str, words: str) -> None:
    assert after(text) == text
    (found,) = left(text)
    assert found.startswith(f"{place}: ")
    assert words in found


@pytest.mark.parametrize(
    "text",
    [
        "def event_loop(): ...\n",
        "import pytest\n@pytest.fixture\ndef services(): ...\n",
        "import aiomisc, pytest\n@pytest.fixture\ndef event_loop(): ...\n",
        "def helper(aiohttp_server): ...\n",
        "import pytest\nasyncio = pytest.importorskip('asyncio')\n",
        "text = 'pytest_asyncio'  # pytest_asyncio.fixture, pytest.mark.asyncio\n",
    ],
)
def test_is_not(text: str) -> None:
    assert after(text) == text
    assert left(text) == []


def test_a_file_that_is_no_python_is_listed_and_left() -> None:
    text = "import pytest_asyncio\nasync def test_it(:\n"
    assert after(text) == text
    assert left(text) == ["2:1: the file is not valid Python, so it is left as it is"]
