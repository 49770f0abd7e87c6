"""The inspecting options work beside a plugin that claims every async test, since no test runs."""

import pytest

from tests.peers.test_owners import beside
from tests.plugin.suite import output, run_apart

SUITE = """
import pytest
import pytest_asyncio

@pytest_asyncio.fixture
async def theirs() -> int:
    return 1

@pytest.fixture(scope="session")
async def wide() -> int:
    return 1

async def test_it(theirs: str, wide: int, nothing: int) -> None: ...
"""


def test_fixtures_are_checked_beside_a_plugin_that_claims_everything(pytester: pytest.Pytester) -> None:
    options = (*beside("asyncio"), "--asyncio-mode=auto", "-Wdefault")
    result = run_apart(pytester, SUITE, *options, "--check-fixtures=mypy")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = output(result)
    assert 'declares "theirs: str"' in text
    assert "asks for 'nothing', but there is no such fixture" in text
    assert text.count("test_it.py:13:") == 2
