"""The error of `--explain-loops=NODEID` for a test that doesn't exist."""

from textwrap import dedent

import pytest

from tests.plugin.suite import run

SUITE = """
import pytest

class TestUsers:
    @pytest.mark.parametrize("name", ["Ada", "Grace"])
    async def test_lists(self, name): ...

async def test_lists_all(): ...
def test_other(): ...
"""


@pytest.mark.parametrize(
    ("nodeid", "text"),
    [
        (
            "test_lists",
            """
            ERROR: --explain-loops=test_lists: no test with this id was collected. Did you mean one of these?
              test_it.py::TestUsers::test_lists
              test_it.py::test_lists_all
            """,
        ),
        (
            "test_it.py::TestUsers::test_lists[Alan]",
            """
            ERROR: --explain-loops=test_it.py::TestUsers::test_lists[Alan]: no test with this id was collected. """
            """Did you mean one of these?
              test_it.py::TestUsers::test_lists[Ada]
              test_it.py::TestUsers::test_lists[Grace]
              test_it.py::TestUsers::test_lists
            """,
        ),
        (
            "nothing_like_it",
            """
            ERROR: --explain-loops=nothing_like_it: no test with this id was collected. """
            """`pytest --collect-only -q` shows the ids.
            """,
        ),
    ],
)
def test_an_id_of_no_test(pytester: pytest.Pytester, nodeid: str, text: str) -> None:
    result = run(pytester, SUITE, f"--explain-loops={nodeid}", "-q")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == dedent(text).strip()
