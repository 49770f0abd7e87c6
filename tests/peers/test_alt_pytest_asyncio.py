"""alt-pytest-asyncio runs tests only if `alt_pytest_asyncio.enable` is loaded; installing it isn't enough."""

import pytest

from tests.plugin.suite import run_apart

pytest.importorskip("alt_pytest_asyncio", reason="needs alt-pytest-asyncio")

SUITE = """
    from looprig.runtime.context import OWNER

    async def test_ours():
        assert OWNER.get(None) is not None
"""


@pytest.mark.parametrize(
    "options",
    [
        ("-p", "alt_pytest_asyncio"),
        ("-p", "alt_pytest_asyncio", "-p", "alt_pytest_asyncio.enable", "-p", "no:alt_pytest_asyncio.enable"),
    ],
    ids=["installed", "enabled, and switched off as the message says"],
)
def test_looprig_runs_beside_it_where_it_is_not_enabled(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    run_apart(pytester, SUITE, *options).assert_outcomes(passed=1)
