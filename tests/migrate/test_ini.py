"""Options of other plugins in ini files go, and nothing else in these files changes."""

from pathlib import PurePath

import pytest

from looprig.migrate.ini import rewritten_ini
from tests.migrate.suites import migrated


@pytest.mark.parametrize(
    ("name", "before", "expected"),
    [
        pytest.param(
            "pytest.ini",
            "[pytest]\n; a comment\nasyncio_mode=auto\naddopts =  -ra\n    --asyncio-mode=auto\n    -q\n",
            "[pytest]\n; a comment\naddopts =  -ra\n    -q\n",
            id="pytest.ini",
        ),
        pytest.param(
            "pytest.ini",
            "[pytest]\naddopts = --asyncio-mode auto -ra  --strict\n",
            "[pytest]\naddopts = -ra  --strict\n",
            id="an argument in two words",
        ),
        pytest.param(
            "pytest.ini",
            "[pytest]\r\nasyncio_mode = auto\r\ntestpaths = tests\r\n",
            "[pytest]\r\ntestpaths = tests\r\n",
            id="line ends",
        ),
        pytest.param(
            "pytest.ini",
            "[pytest]\nasyncio_mode =\n    auto\ntestpaths =\n    tests\n",
            "[pytest]\ntestpaths =\n    tests\n",
            id="a value on the next line",
        ),
        pytest.param(
            "pytest.ini", "[pytest]\n# For pytest-asyncio:\nasyncio_mode = auto\n", "[pytest]\n", id="its comment"
        ),
        pytest.param(
            "setup.cfg",
            "[metadata]\nasyncio_mode = mine\n[tool:pytest]\nanyio_mode = auto\nx = 1",
            "[metadata]\nasyncio_mode = mine\n[tool:pytest]\nx = 1",
            id="setup.cfg",
        ),
        pytest.param(
            "tox.ini",
            "[tox]\nx=1\n\n[pytest]\nasyncio_default_fixture_loop_scope = function\n\n[other]\n",
            "[tox]\nx=1\n\n[pytest]\n\n[other]\n",
            id="tox.ini",
        ),
        pytest.param(
            "pyproject.toml",
            '[tool.pytest.ini_options]\nasyncio_mode = "auto" # why\naddopts = ["--asyncio-mode=auto", "-q"]\n'
            'asyncio_debug = true\n\n[tool.other]\nasyncio_mode = "auto"\n',
            '[tool.pytest.ini_options]\naddopts = ["-q"]\nloop_debug = true\n\n[tool.other]\nasyncio_mode = "auto"\n',
            id="pyproject.toml",
        ),
        pytest.param(
            "pyproject.toml",
            '[tool.pytest]\naddopts = [\n    "-ra",\n    "--asyncio-mode=strict",  # gone\n    "-q"\n]\n',
            '[tool.pytest]\naddopts = [\n    "-ra",\n    "-q"\n]\n',
            id="a list over several lines",
        ),
    ],
)
def test_options_go(name: str, before: str, expected: str) -> None:
    after, left = rewritten_ini(PurePath(name), before.encode())
    assert (after.decode(), left) == (expected, [])
    assert rewritten_ini(PurePath(name), after) == (after, [])


def test_packages_are_listed() -> None:
    text = b'[project]\ndependencies = [\n  # pytest-asyncio\n  "pytest-asyncio>=1",\n]\n'
    after, (left,) = rewritten_ini(PurePath("pyproject.toml"), text)
    assert after == text
    assert (left.line, left.column) == (4, 4)
    assert left.reason.startswith("pytest-asyncio is required here")


INI = "[pytest]\nasyncio_default_test_loop_scope = session\n"
WIDE = "import pytest\n@pytest.fixture(scope='session')\nasync def wide(): ...\nasync def test_it(wide): ...\n"


def test_one_loop_for_all_tests_stays_as_looprigs() -> None:
    done = migrated(
        {"pytest.ini": INI, "tests/a/test_a.py": "async def test_it(): ...", "tests/b/test_b.py": "def test(): ..."}
    )
    assert done.files == {
        PurePath("/suite/pytest.ini"): b"[pytest]\n",
        PurePath("/suite/tests/conftest.py"): b'from looprig import loop_config\n\nloop_config(scope="session")\n',
    }


def test_unless_a_fixture_explains_it() -> None:
    done = migrated({"pytest.ini": INI, "test_a.py": WIDE})
    assert done.files == {PurePath("/suite/pytest.ini"): b"[pytest]\n"}
